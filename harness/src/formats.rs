//! What `reports/FORMATS.md` says, held against what is written: nothing that it does not name, all that it names, and
//! of the types that it tells.

use std::collections::BTreeMap;

use serde_json::Value;

const DOCUMENT: &str = include_str!("../../reports/FORMATS.md");

/// What a table's rows are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The members of an object.
    Members,
    /// Members of which an object has exactly one.
    OneOf,
    /// Strings.
    Values,
}

struct Row {
    name: &'static str,
    may_be_absent: bool,
    /// Empty in a table of strings.
    kind: &'static str,
}

struct Table {
    kind: Kind,
    rows: Vec<Row>,
}

/// The tables, by their headings.
struct Tables(BTreeMap<String, Table>);

/// Fails unless `value` is what the document says of `form`, which is one of its headings.
pub(crate) fn assert_documented(form: &str, value: &Value) {
    let mut wrong = Vec::new();
    tables().check(form, form, value, &mut wrong);
    assert!(
        wrong.is_empty(),
        "reports/FORMATS.md and what is written differ:\n{}\nin {value:#}",
        wrong.join("\n")
    );
}

fn tables() -> Tables {
    let mut tables = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut table: Option<Table> = None;
    for line in DOCUMENT.lines().chain(["# end"]) {
        if let Some(heading) = line.strip_prefix('#') {
            let named = std::mem::take(&mut names);
            if let Some(Table { kind, rows }) = table.take() {
                // Two forms may be alike.
                for name in named {
                    let rows = rows.iter().map(|row| Row { ..*row }).collect();
                    let before = tables.insert(name.clone(), Table { kind, rows });
                    assert!(before.is_none(), "two tables are called {name}");
                }
            }
            let heading = heading.trim_start_matches('#').trim().replace('`', "");
            names.extend(heading.split(" and ").map(str::to_owned));
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["member", "type", _] => table = Some(Table::new(Kind::Members)),
            ["one of", "type", _] => table = Some(Table::new(Kind::OneOf)),
            ["value", "meaning"] => table = Some(Table::new(Kind::Values)),
            [rule, ..] if rule.starts_with("---") => {}
            row if line.starts_with('|') => table.as_mut().expect("a table has a head").add(row),
            _ => {}
        }
    }
    Tables(tables)
}

impl Table {
    fn new(kind: Kind) -> Table {
        Table {
            kind,
            rows: Vec::new(),
        }
    }

    fn add(&mut self, row: &[&'static str]) {
        let (name, kind, meaning) = match (self.kind, row) {
            (Kind::Members | Kind::OneOf, [name, kind, meaning]) => (*name, *kind, *meaning),
            (Kind::Values, [name, meaning]) => (*name, "", *meaning),
            _ => panic!("no row of such a table: {row:?}"),
        };
        assert!(!meaning.is_empty(), "{name} has no meaning");
        let bare = name.trim_end_matches('?');
        self.rows.push(Row {
            name: bare.trim_matches('`'),
            may_be_absent: bare != name,
            kind,
        });
    }
}

impl Tables {
    /// Adds to `wrong` what is not as this type has it.
    fn check(&self, at: &str, kind: &str, value: &Value, wrong: &mut Vec<String>) {
        if let Some((first, rest)) = kind.split_once(" or ") {
            let mut of_first = Vec::new();
            self.check(at, first, value, &mut of_first);
            let mut of_rest = Vec::new();
            self.check(at, rest, value, &mut of_rest);
            if !of_first.is_empty() && !of_rest.is_empty() {
                wrong.append(&mut of_first);
            }
            return;
        }
        if let Some(of) = kind.strip_prefix("list of ") {
            return self.check_items(at, of, value, None, wrong);
        }
        if let Some(of) = kind.strip_prefix("pair of ") {
            return self.check_items(at, of, value, Some(2), wrong);
        }
        if let Some(of) = kind.strip_prefix("object of ") {
            match value.as_object() {
                Some(members) => {
                    for (name, member) in members {
                        self.check(&format!("{at}.{name}"), of, member, wrong);
                    }
                }
                None => wrong.push(format!("{at}: no object: {value}")),
            }
            return;
        }
        let fits = match kind {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "value" => match value {
                Value::Array(items) => {
                    return items.iter().for_each(|item| self.check(at, "value", item, wrong));
                }
                other => other.is_null() || other.is_string() || other.is_i64(),
            },
            literals if literals.starts_with('`') => value.as_str().is_some_and(|text| {
                let mut literals = literals.split(", ").map(|literal| literal.trim_matches('`'));
                literals.any(|literal| literal == text)
            }),
            name => match self.0.get(name) {
                Some(table) => return self.check_table(at, table, value, wrong),
                None => panic!("{at}: no table is called {name}"),
            },
        };
        if !fits {
            wrong.push(format!("{at}: no {kind}: {value}"));
        }
    }

    fn check_items(&self, at: &str, of: &str, value: &Value, length: Option<usize>, wrong: &mut Vec<String>) {
        match value.as_array() {
            Some(items) if length.is_none_or(|length| length == items.len()) => {
                for item in items {
                    self.check(&format!("{at}[]"), of, item, wrong);
                }
            }
            _ => wrong.push(format!("{at}: no such list: {value}")),
        }
    }

    fn check_table(&self, at: &str, table: &Table, value: &Value, wrong: &mut Vec<String>) {
        if table.kind == Kind::Values {
            let is_one = table.rows.iter().any(|row| value == row.name);
            if !is_one {
                wrong.push(format!("{at}: {value} is none of the values"));
            }
            return;
        }
        let Some(members) = value.as_object() else {
            return wrong.push(format!("{at}: no object: {value}"));
        };
        for (name, member) in members {
            match table.rows.iter().find(|row| row.name == name) {
                Some(row) => self.check(&format!("{at}.{name}"), row.kind, member, wrong),
                None => wrong.push(format!("{at}.{name}: is not documented")),
            }
        }
        if table.kind == Kind::OneOf {
            if members.len() != 1 {
                wrong.push(format!("{at}: not exactly one member: {value}"));
            }
            return;
        }
        for row in &table.rows {
            if !row.may_be_absent && !members.contains_key(row.name) {
                wrong.push(format!("{at}.{}: is documented, but absent", row.name));
            }
        }
    }
}
