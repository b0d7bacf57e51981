//! Rows in the formats of files.

use serde::Serialize;
use serde_json::Value;

use super::Pieces;
use crate::app::AppParts;
use crate::error::ApiError;
use crate::params::Params;

/// The format of a file of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One array.
    Json,
    /// One object a line.
    Ndjson,
    /// A header and one row a line (RFC 4180).
    Csv,
}

impl Format {
    /// `format`; JSON where it is not given.
    pub(crate) fn of(params: &mut Params) -> Result<Self, ApiError> {
        match params.text("format")?.as_deref() {
            None | Some("json") => Ok(Self::Json),
            Some("ndjson") => Ok(Self::Ndjson),
            Some("csv") => Ok(Self::Csv),
            Some(other) => Err(ApiError::parameter("format", other, "it is json, ndjson or csv")),
        }
    }

    pub(crate) fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

/// A kind of rows, and how they are written.
pub(crate) struct Sheet {
    /// The columns of CSV: their name, and where the value stands in the row's JSON, as a pointer.
    pub(crate) columns: &'static [(&'static str, &'static str)],
}

impl Sheet {
    /// A file of rows, a page a piece. `next` gives the next page, and none after the last.
    pub(crate) fn pieces<T: Serialize>(
        &'static self,
        format: Format,
        mut next: impl FnMut(&AppParts) -> Result<Option<Vec<T>>, ApiError> + Send + 'static,
    ) -> Pieces {
        let (mut begun, mut any, mut ended) = (false, false, false);
        Box::new(move |parts| {
            let mut out = Vec::new();
            // A page can be empty and not the last one; an empty piece would be the end.
            while out.is_empty() && !ended {
                let page = next(parts)?;
                if !begun {
                    begun = true;
                    self.begin(format, &mut out)?;
                }
                if let Some(rows) = page {
                    self.rows(format, &rows, !any, &mut out)?;
                    any |= !rows.is_empty();
                } else {
                    ended = true;
                    out.extend(if format == Format::Json { &b"]\n"[..] } else { b"" });
                }
            }
            Ok(out)
        })
    }

    fn begin(&self, format: Format, out: &mut Vec<u8>) -> Result<(), ApiError> {
        match format {
            Format::Json => out.push(b'['),
            Format::Ndjson => {}
            Format::Csv => write_csv(out, self.columns.iter().map(|(name, _)| name))?,
        }
        Ok(())
    }

    fn rows<T: Serialize>(
        &self,
        format: Format,
        rows: &[T],
        first: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ApiError> {
        for (at, row) in rows.iter().enumerate() {
            match format {
                Format::Csv => {
                    let row = serde_json::to_value(row).map_err(ApiError::internal)?;
                    let cells = self.columns.iter().map(|(_, pointer)| cell(row.pointer(pointer)));
                    write_csv(out, cells)?;
                    continue;
                }
                Format::Json if at > 0 || !first => out.extend(b",\n"),
                Format::Json | Format::Ndjson => {}
            }
            serde_json::to_writer(&mut *out, row).map_err(ApiError::internal)?;
            if format == Format::Ndjson {
                out.push(b'\n');
            }
        }
        Ok(())
    }
}

fn write_csv<T: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    cells: impl Iterator<Item = T>,
) -> Result<(), ApiError> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    csv.write_record(cells).map_err(ApiError::internal)?;
    csv.flush().map_err(ApiError::internal)
}

/// A value as a cell. Text that a spreadsheet would take for a formula gets an apostrophe before it,
/// as OWASP's page on CSV injection has it: it comes from attackers.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => {
            let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
            if formula { format!("'{text}") } else { text.clone() }
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Format, Sheet, cell};

    static SHEET: Sheet = Sheet { columns: &[("name", "/name"), ("count", "/numbers/count")] };

    fn written(format: Format, pages: &[Vec<Value>]) -> String {
        let (mut out, mut any) = (Vec::new(), false);
        SHEET.begin(format, &mut out).unwrap();
        for page in pages {
            SHEET.rows(format, page, !any, &mut out).unwrap();
            any |= !page.is_empty();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pages_become_one_file() {
        let row = |name: &str, count: u64| json!({ "name": name, "numbers": { "count": count } });
        let pages = [vec![], vec![row("a", 1), row("b,\"c\"", 2)], vec![], vec![row("=1+1", 3)]];
        assert_eq!(
            written(Format::Csv, &pages),
            "name,count\r\na,1\r\n\"b,\"\"c\"\"\",2\r\n'=1+1,3\r\n"
        );
        assert_eq!(written(Format::Ndjson, &pages).lines().count(), 3);
        let json = written(Format::Json, &pages) + "]";
        assert_eq!(serde_json::from_str::<Vec<Value>>(&json).unwrap().len(), 3);
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (text, expected) in [
            ("nginx", "nginx"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(cell(Some(&json!(text))), expected);
        }
        assert_eq!(cell(Some(&json!(-3))), "-3", "a number is a number");
        assert_eq!((cell(None), cell(Some(&Value::Null))), (String::new(), String::new()));
        assert_eq!(cell(Some(&json!(["a"]))), "[\"a\"]");
    }
}
