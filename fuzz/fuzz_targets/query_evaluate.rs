#![no_main]

#[path = "../../rust/skerry-query/tests/common/mod.rs"]
mod recorded;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use skerry_query::Query;

static DATASET: OnceLock<recorded::Dataset> = OnceLock::new();

const CLASSES: [&str; 8] = ["Item", "Item", "Item", "Person", "Dog", "Order", "Node", "GeoPlace"];

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let dataset = DATASET.get_or_init(recorded::dataset);
    let class = CLASSES[usize::from(choice) % CLASSES.len()];
    let Ok(query) = Query::compile_with(&dataset.schema, class, text, &[], dataset) else { return };
    let printed = query.to_string();
    let again = Query::compile_with(&dataset.schema, class, &printed, &[], dataset);
    assert_eq!(again, Ok(query.clone()), "what is printed compiles to the same");
    let found = query.run(&dataset.objects[class], dataset).len();
    // A path of many elements may lead over more objects than there is time for.
    let _too_long = dataset.has_given_up();
    assert!(found <= dataset.objects[class].len(), "objects are there once");
});
