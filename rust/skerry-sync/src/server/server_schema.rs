//! Classes that the server defines: from `schema.json` and `relationships.json` (server 9.1, 9.2).
//!
//! Embedded classes are named by the title of the schema in which they stand. The same title may
//! stand in several places, with the same properties.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use skerry_model::{ClassSchema, CollectionType, Name, Property, PropertyType, Schema};

use super::ConfigError;

type Result<T> = std::result::Result<T, ConfigError>;

/// Reads the schemas of all collections that have one.
pub(super) fn parse(collections: &[Json]) -> Result<Schema> {
    let mut classes = Vec::new();
    let mut embedded = BTreeMap::new();
    for (i, collection) in collections.iter().enumerate() {
        if collection["schema"].is_object() {
            let mut reader = Reader {
                relationships: &collection["relationships"],
                all: collections,
                embedded: &mut embedded,
            };
            let schema = &collection["schema"];
            let at = Position { path: format!("collections[{i}].schema"), dotted: String::new() };
            classes.push(ClassSchema {
                name: collection["class"].as_str().unwrap_or_default().into(),
                primary_key: "_id".into(),
                properties: reader.properties(schema, &at)?,
                embedded: false,
            });
        }
    }
    let schema = Schema::new(classes.into_iter().chain(embedded.into_values()));
    schema.map_err(|error| ConfigError::from(("collections".to_owned(), error)))
}

/// Where something stands: in the configuration, and in a document, as relationships are named.
struct Position {
    path: String,
    /// Empty, or ending in a dot.
    dotted: String,
}

impl Position {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }
}

/// What a property is or holds, before it is known whether it is a collection.
enum Kind {
    Scalar(PropertyType),
    Target(Name),
}

/// Reads the schema of one collection.
struct Reader<'a> {
    relationships: &'a Json,
    all: &'a [Json],
    embedded: &'a mut BTreeMap<Name, ClassSchema>,
}

impl Reader<'_> {
    fn properties(&mut self, schema: &Json, at: &Position) -> Result<Vec<Property>> {
        let Json::Object(properties) = &schema["properties"] else {
            return Err(ConfigError::new(&at.key("properties"), "takes an object"));
        };
        let required: Vec<&str> = match &schema["required"] {
            Json::Null => Vec::new(),
            Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
            _ => return Err(ConfigError::new(&at.key("required"), "takes an array of names")),
        };
        let mut read = Vec::with_capacity(properties.len());
        for (field, json) in properties {
            let path = at.key(&format!("properties.{field}"));
            let inner = Position { path, dotted: format!("{}{field}", at.dotted) };
            let is_nullable = !required.contains(&field.as_str());
            read.push(self.property(field, json, is_nullable, inner)?);
        }
        Ok(read)
    }

    fn property(
        &mut self,
        field: &str,
        json: &Json,
        is_nullable: bool,
        mut at: Position,
    ) -> Result<Property> {
        let collection = collection_of(json);
        let link = match self.relationships.get(&at.dotted) {
            Some(relationship) => Some(Kind::Target(self.target(relationship, &at.path)?)),
            None => None,
        };
        let held = match collection {
            CollectionType::Single => json,
            CollectionType::List | CollectionType::Set => {
                at.path.push_str(".items");
                at.dotted.push_str(".[]");
                &json["items"]
            }
            CollectionType::Dictionary => {
                at.path.push_str(".additionalProperties");
                &json["additionalProperties"]
            }
        };
        let kind = match link {
            Some(link) => link,
            None => self.kind(held, collection, at)?,
        };
        Ok(match (kind, collection) {
            (Kind::Target(target), CollectionType::Single) => Property::link(field, target),
            (Kind::Target(target), _) => Property::links(field, collection, target),
            // Mixed is always nullable, and nothing else is inside a collection.
            (Kind::Scalar(ty), CollectionType::Single) => {
                Property::scalar(field, ty, is_nullable || ty == PropertyType::Mixed)
            }
            (Kind::Scalar(ty), _) => {
                Property::collection(field, collection, ty, ty == PropertyType::Mixed)
            }
        })
    }

    /// What a property or element is.
    fn kind(&mut self, json: &Json, within: CollectionType, at: Position) -> Result<Kind> {
        if within == CollectionType::Dictionary && *json == Json::Bool(true) {
            return Ok(Kind::Scalar(PropertyType::Mixed));
        }
        let bson = json["bsonType"].as_str().unwrap_or_default();
        if let Some(ty) = scalar(bson) {
            return Ok(Kind::Scalar(ty));
        }
        match bson {
            "object" if collection_of(json) == CollectionType::Single => {
                self.embedded_object(json, at).map(Kind::Target)
            }
            "array" | "object" => Err(ConfigError::new(
                &at.path,
                "collections inside collections need bsonType mixed",
            )),
            _ => Err(ConfigError::new(&at.path, format!("unknown bsonType \"{bson}\""))),
        }
    }

    fn embedded_object(&mut self, json: &Json, mut at: Position) -> Result<Name> {
        let Some(title) = json["title"].as_str() else {
            return Err(ConfigError::new(&at.key("title"), "names the class of embedded objects"));
        };
        at.dotted.push('.');
        let class = ClassSchema {
            name: title.into(),
            primary_key: "".into(),
            properties: self.properties(json, &at)?,
            embedded: true,
        };
        let name = class.name.clone();
        match self.embedded.get(&name) {
            Some(other) if *other != class => {
                let reason = format!("embedded class \"{name}\" has other properties elsewhere");
                Err(ConfigError::new(&at.path, reason))
            }
            Some(_) => Ok(name),
            None => {
                self.embedded.insert(name.clone(), class);
                Ok(name)
            }
        }
    }

    /// The class of a relationship; its `ref` is `#/relationship/<service>/<database>/<collection>`.
    fn target(&self, relationship: &Json, path: &str) -> Result<Name> {
        let reference = relationship["ref"].as_str().unwrap_or_default();
        let mut parts = reference.rsplit('/');
        let (collection, database) = (parts.next(), parts.next());
        let target = self.all.iter().find(|candidate| {
            candidate["collection"].as_str() == collection
                && candidate["database"].as_str() == database
        });
        let unknown = || ConfigError::new(path, format!("relationship to unknown \"{reference}\""));
        target.and_then(|target| target["class"].as_str()).map(Name::from).ok_or_else(unknown)
    }
}

/// Which collection a property is. An object without properties of its own is a dictionary.
fn collection_of(json: &Json) -> CollectionType {
    match json["bsonType"].as_str() {
        Some("array") if json["uniqueItems"] == Json::Bool(true) => CollectionType::Set,
        Some("array") => CollectionType::List,
        Some("object") if json["properties"].is_null() => CollectionType::Dictionary,
        Some(_) | None => CollectionType::Single,
    }
}

fn scalar(bson: &str) -> Option<PropertyType> {
    Some(match bson {
        "bool" => PropertyType::Bool,
        "int" | "long" => PropertyType::Int,
        "float" => PropertyType::Float,
        "double" => PropertyType::Double,
        "string" => PropertyType::String,
        "binData" => PropertyType::Binary,
        "date" => PropertyType::Timestamp,
        "decimal" => PropertyType::Decimal,
        "objectId" => PropertyType::ObjectId,
        "uuid" => PropertyType::Uuid,
        "mixed" => PropertyType::Mixed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skerry_model::CollectionType as C;
    use skerry_model::PropertyType as P;

    use super::*;

    fn read(properties: &Json, relationships: &Json) -> Result<Schema> {
        let schema =
            json!({"bsonType": "object", "required": ["_id", "n"], "properties": properties});
        parse(&[
            json!({"class": "Pet", "database": "d", "collection": "pets", "schema": {
                "properties": {"_id": {"bsonType": "string"}}, "required": ["_id"]}}),
            json!({"class": "Person", "database": "d", "collection": "people", "schema": schema,
                "relationships": relationships}),
        ])
    }

    fn property(schema: &Schema, class: &str, name: &str) -> Property {
        schema.class(class).unwrap().property(name).unwrap().clone()
    }

    #[test]
    fn collections_and_mixed_are_what_the_documentation_says() {
        let text = json!({"bsonType": "string"});
        let schema = read(
            &json!({
                "_id": {"bsonType": "objectId"},
                "n": {"bsonType": "float"},
                "list": {"bsonType": "array", "items": text},
                "set": {"bsonType": "array", "uniqueItems": true, "items": {"bsonType": "mixed"}},
                "map": {"bsonType": "object", "additionalProperties": {"bsonType": "long"}},
                "any": {"bsonType": "object", "additionalProperties": true},
                "mixed": {"bsonType": "mixed"},
            }),
            &Json::Null,
        )
        .unwrap();
        let of = |name| property(&schema, "Person", name);
        assert_eq!(of("n"), Property::scalar("n", P::Float, false));
        assert_eq!(of("list"), Property::collection("list", C::List, P::String, false));
        assert_eq!(of("set"), Property::collection("set", C::Set, P::Mixed, true));
        assert_eq!(of("map"), Property::collection("map", C::Dictionary, P::Int, false));
        assert_eq!(of("any"), Property::collection("any", C::Dictionary, P::Mixed, true));
        assert_eq!(of("mixed"), Property::scalar("mixed", P::Mixed, true));
    }

    #[test]
    fn embedded_objects_and_links_inside_them_are_found() {
        let home = json!({"title": "Home", "bsonType": "object", "properties": {
            "street": {"bsonType": "string"}, "cat": {"bsonType": "string"}}});
        let reference = json!({"ref": "#/relationship/mongodb-atlas/d/pets"});
        let listed = json!({"ref": "#/relationship/mongodb-atlas/d/pets", "is_list": true});
        let schema = read(
            &json!({
                "_id": {"bsonType": "objectId"},
                "n": {"bsonType": "int"},
                "home": home,
                "homes": {"bsonType": "array", "items": home},
                "pets": {"bsonType": "array", "items": {"bsonType": "string"}},
            }),
            &json!({"home.cat": reference, "homes.[].cat": reference, "pets": listed}),
        )
        .unwrap();
        assert!(schema.class("Home").unwrap().embedded);
        assert_eq!(property(&schema, "Home", "cat"), Property::link("cat", "Pet"));
        assert_eq!(property(&schema, "Person", "home"), Property::link("home", "Home"));
        let links = |name: &str, class: &str| Property::links(name, CollectionType::List, class);
        assert_eq!(property(&schema, "Person", "homes"), links("homes", "Home"));
        assert_eq!(property(&schema, "Person", "pets"), links("pets", "Pet"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let refused = |json: Json| {
            let properties = json!({"_id": {"bsonType": "int"}, "n": json});
            read(&properties, &Json::Null).unwrap_err().path
        };
        let place = "collections[1].schema.properties.n";
        assert_eq!(refused(json!({"bsonType": "regex"})), place);
        let nested = json!({"bsonType": "array", "items": {"bsonType": "array"}});
        assert_eq!(refused(nested), format!("{place}.items"));
        assert_eq!(refused(json!({"bsonType": "array"})), format!("{place}.items"));
        let untitled = json!({"bsonType": "object", "properties": {}});
        assert_eq!(refused(untitled), format!("{place}.title"));
    }
}
