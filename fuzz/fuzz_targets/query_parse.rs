#![no_main]

use libfuzzer_sys::fuzz_target;
use skerry_model::{ClassSchema, Property, PropertyType, Schema};
use skerry_query::Query;

fuzz_target!(|text: &str| {
    let types = [
        ("_id", PropertyType::Int),
        ("d", PropertyType::Double),
        ("s", PropertyType::String),
        ("t", PropertyType::Timestamp),
        ("x", PropertyType::Binary),
        ("m", PropertyType::Decimal),
        ("o", PropertyType::ObjectId),
        ("u", PropertyType::Uuid),
    ];
    let class = ClassSchema {
        embedded: false,
        name: "T".into(),
        primary_key: "_id".into(),
        properties: types.map(|(name, ty)| Property::scalar(name, ty, true)).into(),
    };
    let schema = Schema::new([class]).expect("the schema is well-formed");
    if let Ok(query) = Query::compile(&schema, "T", text, &[]) {
        let again = Query::compile(&schema, "T", &query.to_string(), &[]);
        assert_eq!(again, Ok(query), "what is printed compiles to the same");
    }
});
