//! Laws of the changeset codec: round trip, one encoding each, and an end for every input.
//!
//! The last group stands in for the fuzz target where no nightly toolchain is at hand; a failing
//! case is printed and kept, with its seed, in `proptest-regressions`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

use proptest::prelude::*;
use proptest::sample::Index;
use skerry_model::{
    Changeset, decode_changeset, decode_key, decode_value, encode_changeset, encode_key,
    encode_value, pack, unpack,
};
use skerry_testkit::decoding::{check_changeset, check_value};
use skerry_testkit::generate;

/// A change of some bytes: overwrite, insert, remove or repeat.
#[derive(Clone, Debug)]
enum Mutation {
    Overwrite(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Repeat(Index, Index),
    Truncate(Index),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let bytes = || prop_oneof![any::<u8>(), 0xc0u8..=0xdf, 0u8..0x10];
    let mutation = prop_oneof![
        4 => (any::<Index>(), bytes()).prop_map(|(at, byte)| Mutation::Overwrite(at, byte)),
        2 => (any::<Index>(), bytes()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        2 => any::<Index>().prop_map(Mutation::Remove),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
        1 => any::<Index>().prop_map(Mutation::Truncate),
    ];
    prop::collection::vec(mutation, 1..4)
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    match mutation {
        Mutation::Overwrite(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Mutation::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        Mutation::Remove(at) => {
            bytes.remove(at.index(bytes.len()));
        }
        Mutation::Repeat(from, to) => {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let piece = bytes[from.min(to)..from.max(to)].to_vec();
            bytes.extend(piece);
        }
        Mutation::Truncate(at) => bytes.truncate(at.index(bytes.len())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changesets_come_back(changeset in generate::changesets()) {
        let bytes = encode_changeset(&changeset).unwrap();
        prop_assert_eq!(bytes.is_empty(), changeset.is_empty());
        let decoded = decode_changeset(&bytes).unwrap();
        prop_assert_eq!(&decoded, &changeset);
        // Names of the decoded one share their text, those of the generated one do not.
        prop_assert_eq!(encode_changeset(&decoded).unwrap(), bytes);
    }

    #[test]
    fn values_come_back(value in generate::values()) {
        prop_assert_eq!(decode_value(&encode_value(&value)).unwrap(), value);
    }

    #[test]
    fn keys_come_back(key in generate::keys()) {
        prop_assert_eq!(decode_key(&encode_key(&key)).unwrap(), key);
    }

    #[test]
    fn decimals_come_back_from_text(decimal in generate::decimals()) {
        prop_assert_eq!(decimal.to_string().parse(), Ok(decimal));
    }

    #[test]
    fn every_cut_is_refused(changeset in generate::changesets(), at in any::<Index>()) {
        let bytes = encode_changeset(&changeset).unwrap();
        prop_assume!(bytes.len() > 1);
        let cut = 1 + at.index(bytes.len() - 1);
        prop_assert!(decode_changeset(&bytes[..cut]).is_err());
    }

    #[test]
    fn packed_bytes_come_back(bytes in prop::collection::vec(0u8..4, 0..5000)) {
        prop_assert_eq!(unpack(&pack(&bytes), bytes.len()).unwrap(), bytes);
    }

    #[test]
    fn any_bytes_unpack_within_the_bound(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        repeated in prop::collection::vec(0u8..4, 2000..5000),
        mutations in mutations(),
    ) {
        if let Ok(content) = unpack(&bytes, 100) {
            prop_assert!(content.len() <= 100);
        }
        bytes = pack(&repeated);
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        if let Ok(content) = unpack(&bytes, 3000) {
            prop_assert!(content.len() <= 3000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn arbitrary_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        check_changeset(&bytes);
        check_value(&bytes);
    }

    #[test]
    fn arbitrary_instructions_end(rest in prop::collection::vec(0u8..0xe0, 0..40)) {
        check_changeset(&[&[0x93, 1, 0x92, 0xa1, b'a', 0xa1, b'b'], &rest[..]].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damaged_changesets_end(
        changeset in prop::collection::vec(generate::instructions(), 1..4),
        mutations in mutations(),
    ) {
        let mut bytes = encode_changeset(&Changeset::from(changeset)).unwrap();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        check_changeset(&bytes);
    }
}
