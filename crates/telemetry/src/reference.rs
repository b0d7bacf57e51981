//! The reference of all metrics, generated from the table.

use crate::family::OTHER;
use crate::table::{Unit, definitions};

/// A Markdown table of all metrics, sorted by name.
pub fn reference() -> String {
    let mut rows: Vec<String> = definitions()
        .map(|definition| {
            let unit = match definition.unit {
                Unit::Count => "–",
                Unit::Bytes | Unit::Seconds | Unit::Ratio => definition.unit.as_str(),
            };
            let labels: Vec<String> =
                definition.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "–".to_string() } else { labels.join(", ") };
            let kind = definition.kind.as_str();
            let help = definition.help.replace(OTHER, &format!("`{OTHER}`"));
            format!("| `{}` | {kind} | {unit} | {labels} | {help} |\n", definition.name)
        })
        .collect();
    rows.sort_unstable();
    let head = "| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n";
    head.to_string() + &rows.concat()
}
