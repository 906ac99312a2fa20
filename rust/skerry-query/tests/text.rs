//! Full-text search: the recorded outcomes of the real engine, its oddities, and laws.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value as Json;
use skerry_query::text::{TextError, TextQuery, WORD_MAX_BYTES, tokens};

fn vector(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/rql").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn recorded_outcomes_are_met() {
    let dataset: Json = serde_json::from_str(&vector("dataset.json")).unwrap();
    let items = dataset["objects"]["Item"].as_array().unwrap();
    let lines = vector("cases.jsonl");
    let mut count = 0;
    for case in lines.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()) {
        let text = case["query"].as_str().unwrap();
        let asked = text.get(..10).filter(|start| start.eq_ignore_ascii_case("desc TEXT "));
        let asked = asked.and_then(|_| text[10..].strip_prefix('\'')?.strip_suffix('\''));
        let Some(asked) = asked else { continue };
        count += 1;
        let found = TextQuery::parse(asked).map(|query| {
            let matching = items.iter().filter(|item| query.matches(item["desc"].as_str()));
            matching.map(|item| item["_id"].clone()).collect::<Vec<_>>()
        });
        match case["result"]["error"]["kind"].as_str() {
            None => {
                let wanted = case["result"]["pks"].as_array().unwrap();
                assert_eq!(&found.unwrap(), wanted, "{text}");
            }
            Some(kind) => {
                assert_eq!(kind, "bad argument");
                found.unwrap_err();
            }
        }
    }
    assert!(count > 20, "the cases are missing");
}

fn words(text: &str) -> Vec<String> {
    tokens(text).map(|token| token.as_str().to_owned()).collect()
}

fn matches(query: &str, text: &str) -> bool {
    TextQuery::parse(query).unwrap().matches(Some(text))
}

#[test]
fn words_are_small_letters_and_digits_without_diacritics() {
    assert_eq!(words("The QUICK-brown_fox, e=mc2!"), ["the", "quick", "brown", "fox", "e", "mc2"]);
    assert_eq!(words("Crème brûlée ÄÖÜ äöü ñÑ ýÝ"), ["creme", "brulee", "aou", "aou", "nn", "yy"]);
    assert_eq!(words("ÅÆØÐÞ åæøðþ Straße"), ["åæøðþ", "åæøðþ", "straße"]);
    // Beyond Latin-1 all is separator, and so are ÿ and combining accents.
    assert_eq!(words("œuvre aÿb e\u{301}t 日本 Ωmega"), ["uvre", "a", "b", "e", "t", "mega"]);
    assert_eq!(words("2×3÷4 ×"), ["234", ""]);
    assert!(words(" \0.\u{a0}ª").is_empty());
}

#[test]
fn words_are_cut_in_texts_and_queries_alike() {
    let long = "a".repeat(WORD_MAX_BYTES - 1);
    assert_eq!(words(&format!("{long}bcd")), [format!("{long}b")]);
    // A letter of two bytes does not fit any more, one of a single byte behind it does.
    assert_eq!(words(&format!("{long}åb")), [format!("{long}b")]);
    assert!(matches(&format!("{long}bxyz"), &format!("{long}b")));
}

#[test]
fn all_wanted_words_must_be_there_and_no_excluded_one() {
    assert!(matches("FOX quick", "the quick brown fox"));
    assert!(!matches("quick dog", "the quick brown fox"));
    assert!(!matches("quick -fox", "the quick brown fox"));
    assert!(matches("quick\t\n-dog", "the quick brown fox"));
    assert!(matches("qu* f*", "the quick brown fox") && !matches("qu* x*", "the quick brown fox"));
    assert!(matches("quick* q* quick", "quick"));
}

#[test]
fn null_matches_where_no_word_is_wanted() {
    let excluding = TextQuery::parse("-fox").unwrap();
    assert!(excluding.matches(None) && excluding.matches(Some("")) && !excluding.wants_words());
    assert!(TextQuery::parse("-").unwrap().matches(None));
    assert!(!TextQuery::parse("*").unwrap().matches(None));
    assert!(matches("*", "any word") && !matches("*", "..."));
}

#[test]
fn oddities_of_the_engine() {
    assert!(matches("-a*", "and") && !matches("-a*", "a"), "no prefix is excluded");
    assert!(matches("fox!", "fox") && matches("(fox)", "fox") && matches("--fox", "dog"));
    assert!(!matches("!!!", "!!!") && !matches("日本", "日本"));
    assert!(!matches("fox* -fox", "fox") && matches("fox* -fox", "foxes"));
}

#[test]
fn what_is_no_search_is_refused() {
    for blank in ["", " ", " \t\r\n\x0b\x0c"] {
        assert_eq!(TextQuery::parse(blank), Err(TextError::NoWord));
    }
    for word in ["hyphen-ated", "q*k", "e=mc2", "under_score", "-a-b", "a-b*", "aÿb", "a\u{a0}b"] {
        let found = TextQuery::parse(&format!("fine {word}"));
        assert!(matches!(found, Err(TextError::NotOneWord { .. })), "{word}: {found:?}");
    }
    let both = TextQuery::parse("Fox -fox*");
    assert_eq!(both, Err(TextError::Contradiction { word: "fox".to_owned() }));
}

#[test]
fn hostile_queries_end_soon() {
    let numbers = |count| (0..count).map(|i: u32| i.to_string()).collect::<Vec<_>>();
    let text = numbers(200_000).join(" ");
    let words = numbers(50_000);
    assert!(matches(&words.join(" "), &text));
    assert!(!matches(&words.join(" -"), &text));
    assert!(matches(&words.join("* "), &text));
}

/// Texts of few different words, so that queries find some.
const TEXT: &str = "([abAé×ß日 .-]|ab|ÿ){0,12}";

proptest! {
    #[test]
    fn words_are_their_own_words(text in any::<String>()) {
        let once: Vec<String> = words(&text).into_iter().filter(|word| !word.is_empty()).collect();
        prop_assert_eq!(words(&once.join(" ")), once);
    }

    #[test]
    fn matching_is_its_definition(
        text in TEXT,
        wanted in prop::collection::vec("[abé×]{1,3}", 0..3),
        prefixes in prop::collection::vec("[abé×]{0,2}", 0..3),
        excluded in prop::collection::vec("[abß]{1,3}", 0..3),
    ) {
        let bare = |word: &String| words(word).concat();
        let found: BTreeSet<String> = words(&text).into_iter().collect();
        let expected = wanted.iter().all(|word| found.contains(&bare(word)))
            && prefixes.iter().all(|start| found.iter().any(|word| word.starts_with(&bare(start))))
            && !excluded.iter().any(|word| found.contains(&bare(word)));
        let asked = wanted.iter().cloned()
            .chain(prefixes.iter().map(|start| format!("{start}*")))
            .chain(excluded.iter().map(|word| format!("-{word}")));
        let asked = asked.collect::<Vec<_>>().join(" ");
        let contradicts = wanted.iter().any(|word| excluded.iter().any(|no| bare(no) == bare(word)));
        match TextQuery::parse(&asked) {
            Ok(query) => prop_assert_eq!(query.matches(Some(&text)), expected, "{}", asked),
            Err(error) => prop_assert!(contradicts || asked.is_empty(), "{} {}", asked, error),
        }
    }

    #[test]
    fn no_text_makes_reading_fail_otherwise(text in any::<String>()) {
        if let Ok(query) = TextQuery::parse(&text) {
            prop_assert_eq!(query.source(), &text);
            query.matches(Some(&text));
        }
    }
}
