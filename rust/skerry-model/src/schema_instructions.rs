//! Schemas as instructions: what makes somebody else have the same classes.
//!
//! Invariant: applied in order, the instructions find what they refer to, because every table comes
//! before any column.

use crate::{
    ClassSchema, CollectionType, Instruction, Name, Property, PropertyType, Schema, TableKind,
};

impl Schema {
    /// The instructions that make these classes.
    pub fn instructions(&self) -> Vec<Instruction> {
        self.instructions_beyond(&Self::default())
    }

    /// The instructions that make what `known` lacks. Whether both agree on what they share is not
    /// looked at.
    pub fn instructions_beyond(&self, known: &Self) -> Vec<Instruction> {
        let missing = self.classes().filter(|class| known.class(&class.name).is_none());
        let mut made: Vec<Instruction> = missing.map(add_table).collect();
        for class in self.classes() {
            let found = known.class(&class.name);
            for property in &class.properties {
                let is_known = found.is_some_and(|found| found.property(&property.name).is_some());
                if !is_known && property.name != class.primary_key {
                    made.push(add_column(&class.name, property));
                }
            }
        }
        made
    }
}

fn add_table(class: &ClassSchema) -> Instruction {
    let kind = if class.embedded {
        TableKind::Embedded
    } else {
        let key = class.primary_key_property();
        TableKind::TopLevel {
            pk_field: key.name.clone(),
            pk_type: key.ty,
            pk_nullable: key.nullable,
            asymmetric: false,
        }
    };
    Instruction::AddTable { class: class.name.clone(), kind }
}

fn add_column(class: &Name, property: &Property) -> Instruction {
    let is_dictionary = property.collection == CollectionType::Dictionary;
    Instruction::AddColumn {
        class: class.clone(),
        field: property.name.clone(),
        ty: property.ty,
        nullable: property.nullable,
        collection: property.collection,
        target: property.target.clone().map(Box::new),
        key_type: is_dictionary.then_some(PropertyType::String),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let part = ClassSchema {
            name: "Part".into(),
            primary_key: "".into(),
            properties: vec![Property::scalar("size", PropertyType::Int, false)],
            embedded: true,
        };
        let whole = ClassSchema {
            name: "A whole".into(),
            primary_key: "_id".into(),
            properties: vec![
                Property::scalar("_id", PropertyType::Uuid, false),
                Property::links("parts", CollectionType::Dictionary, "Part"),
            ],
            embedded: false,
        };
        Schema::new([part, whole]).unwrap()
    }

    #[test]
    fn tables_come_before_columns_and_the_key_is_no_column() {
        let made = schema().instructions();
        let names: Vec<&str> = made.iter().map(Instruction::name).collect();
        assert_eq!(names, ["AddTable", "AddTable", "AddColumn", "AddColumn"]);
        assert!(matches!(&made[1], Instruction::AddTable { kind: TableKind::Embedded, .. }));
        match &made[2] {
            Instruction::AddColumn { field, key_type, .. } => {
                assert_eq!((&**field, *key_type), ("parts", Some(PropertyType::String)));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_known_is_left_out() {
        let all = schema();
        assert_eq!(all.instructions_beyond(&all), []);
        let part = all.class("Part").unwrap().clone();
        let known = Schema::new([ClassSchema { properties: Vec::new(), ..part }]).unwrap();
        assert_eq!(all.instructions_beyond(&known).len(), 3);
    }
}
