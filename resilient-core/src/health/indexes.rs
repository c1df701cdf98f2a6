//! Which look-ups of a table no index serves.

use serde::{Deserialize, Serialize};
use strum::{AsRefStr, Display};

use crate::{
    ConstraintKind,
    constraint::{Index, Table},
};

/// An index that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MissingIndex {
    /// The table.
    pub table: String,
    /// The columns that it must begin with.
    pub columns: Vec<String>,
    /// Who needs it.
    pub why: IndexNeed,
    /// The statement that adds it, in the engine's words.
    pub statement: String,
}

/// Who needs an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr, Display)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IndexNeed {
    /// Queries that leave deleted rows out, and clean-ups that look for them.
    SoftDelete,
    /// Each delete or key change of the parent, which reads all of this table without one.
    ForeignKey,
}

/// The needs that no index of a table serves: its soft-delete column, and its foreign keys unless
/// the engine indexes those itself.
pub fn unserved(
    table: &Table,
    soft_delete: Option<&str>,
    foreign_keys: bool,
) -> Vec<(Vec<String>, IndexNeed)> {
    let mut needs: Vec<(Vec<String>, IndexNeed)> = Vec::new();
    if let Some(column) = soft_delete
        && !indexes(table).any(|index| serves_soft_delete(&index, column))
    {
        needs.push((vec![column.to_owned()], IndexNeed::SoftDelete));
    }
    let keys = table
        .constraints
        .iter()
        .filter(|c| foreign_keys && c.kind == ConstraintKind::ForeignKey && !c.columns.is_empty());
    for key in keys {
        let served = indexes(table).any(|index| serves_key(&index, &key.columns));
        let wanted = needs
            .iter()
            .any(|(columns, _)| begins_with(columns, &key.columns));
        if !served && !wanted {
            needs.push((key.columns.clone(), IndexNeed::ForeignKey));
        }
    }
    needs
}

/// The indexes; also an SQLite key that is the row's number, which needs none of its own.
fn indexes(table: &Table) -> impl Iterator<Item = Index> {
    let keys = table
        .constraints
        .iter()
        .filter(|c| c.primary && !c.columns.is_empty())
        .map(|c| Index {
            columns: c.columns.clone(),
            unique: true,
            ..Index::default()
        });
    table.indexes.iter().cloned().chain(keys)
}

/// Led by it; or one for some rows only, which it chooses.
fn serves_soft_delete(index: &Index, column: &str) -> bool {
    let is_it = |name: &String| name.eq_ignore_ascii_case(column);
    index.columns.first().is_some_and(is_it) || index.condition.iter().any(is_it)
}

/// Led by the key's columns, in any order. Of those for some rows only, the ones that ask for no
/// more than the key's own columns, such as `WHERE team_id IS NOT NULL`.
fn serves_key(index: &Index, key: &[String]) -> bool {
    let in_key = |name: &String| key.iter().any(|k| k.eq_ignore_ascii_case(name));
    let whole =
        !index.partial || (!index.condition.is_empty() && index.condition.iter().all(in_key));
    whole && begins_with(&index.columns, key)
}

fn begins_with(columns: &[String], key: &[String]) -> bool {
    columns.get(..key.len()).is_some_and(|first| {
        key.iter()
            .all(|k| first.iter().any(|c| c.eq_ignore_ascii_case(k)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constraint::Constraint;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn index(columns: &[&str], condition: &[&str]) -> Index {
        Index {
            columns: texts(columns),
            partial: !condition.is_empty(),
            condition: texts(condition),
            ..Index::default()
        }
    }

    fn table(keys: &[&[&str]], indexes: &[Index]) -> Table {
        let key =
            |columns: &&[&str]| Constraint::new(ConstraintKind::ForeignKey, None, texts(columns));
        Table {
            constraints: keys.iter().map(key).collect(),
            indexes: indexes.to_vec(),
            ..Table::default()
        }
    }

    #[test]
    fn what_serves_a_soft_delete_column() {
        let missing = |indexes: &[Index]| unserved(&table(&[], indexes), Some("gone"), true);
        assert_eq!(missing(&[]), [(texts(&["gone"]), IndexNeed::SoftDelete)]);
        assert_eq!(missing(&[index(&["a", "gone"], &[])]).len(), 1);
        for good in [
            index(&["gone"], &[]),
            index(&["GONE", "a"], &[]),
            index(&["a"], &["gone"]),
        ] {
            assert_eq!(missing(&[good]), []);
        }
        assert_eq!(unserved(&table(&[], &[]), None, true), []);
    }

    #[test]
    fn what_serves_a_foreign_key() {
        let missing = |indexes: &[Index]| unserved(&table(&[&["a", "b"]], indexes), None, true);
        assert_eq!(missing(&[]), [(texts(&["a", "b"]), IndexNeed::ForeignKey)]);
        for bad in [
            index(&["a"], &[]),
            index(&["a", "c", "b"], &[]),
            index(&["a", "b"], &["gone"]),
            index(&["a", "b"], &["a", "gone"]),
        ] {
            assert_eq!(missing(std::slice::from_ref(&bad)).len(), 1, "{bad:?}");
        }
        for good in [
            index(&["a", "b"], &[]),
            index(&["b", "a", "c"], &[]),
            index(&["a", "b"], &["b"]),
        ] {
            assert_eq!(missing(std::slice::from_ref(&good)), [], "{good:?}");
        }
        assert_eq!(unserved(&table(&[&["a"]], &[]), None, false), []);
    }

    #[test]
    fn one_index_for_two_keys_and_a_primary_key_for_one() {
        let mut both = table(&[&["a", "b"], &["b", "a"], &["id"]], &[]);
        both.constraints.push(Constraint {
            primary: true,
            ..Constraint::new(ConstraintKind::Unique, None, texts(&["id"]))
        });
        assert_eq!(
            unserved(&both, None, true),
            [(texts(&["a", "b"]), IndexNeed::ForeignKey)]
        );
    }
}
