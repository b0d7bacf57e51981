//! Queries held to some series: conditions added to every selector.
//!
//! Our own series are held so where they are read ([`Within`]), which nothing in a query can evade.
//! A server of somebody else's is asked with the conditions written into the query ([`restrict`]);
//! what was written is read again, and refused unless it says just what was meant.

use promql_parser::{
    label::{MatchOp, Matcher as Parsed},
    parser::{self, Expr, VectorSelector},
};

use crate::{Matcher, NAME, QueryError, Series, Storage, engine::read};

/// Expressions within expressions that are walked through: as many as are evaluated.
const MAX_DEPTH: usize = 128;

/// Whether the series of a metric, where a selector names one, are to be held to the conditions; an
/// error where they cannot be.
pub type Holds<'a> = &'a dyn Fn(Option<&str>) -> Result<bool, QueryError>;

/// A storage of which only some series are shown.
pub struct Within<'a> {
    /// All series.
    pub storage: &'a dyn Storage,
    /// What those have to meet that are shown.
    pub conditions: &'a [Matcher],
    /// Of which metrics.
    pub holds: Holds<'a>,
}

impl Within<'_> {
    /// The conditions of a selector, and those that it is held to.
    pub fn held(&self, matchers: &[Matcher]) -> Result<Vec<Matcher>, QueryError> {
        let mut held = matchers.to_vec();
        if (self.holds)(metric_of(matchers))? {
            held.extend_from_slice(self.conditions);
        }
        Ok(held)
    }
}

impl Storage for Within<'_> {
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<Vec<Series>, QueryError> {
        self.storage.select(&self.held(matchers)?, from, to, most)
    }
}

/// The one metric whose series can meet the conditions, if they say so.
fn metric_of(matchers: &[Matcher]) -> Option<&str> {
    matchers.iter().find_map(|matcher| match matcher {
        Matcher::Equal(name, value) if name == NAME => Some(value.as_str()),
        _ => None,
    })
}

/// The query, or selector, with the conditions of a selector such as `{a=~"b|c"}` added to all of
/// its selectors.
pub fn restrict(query: &str, conditions: &str, holds: Holds<'_>) -> Result<String, QueryError> {
    let added = match read(conditions)? {
        Expr::VectorSelector(selector) => selector.matchers.matchers,
        _ => return Err(QueryError::BadData(format!("{conditions} is no series selector"))),
    };
    let mut expression = read(query)?;
    each_selector(&mut expression, 0, &mut |selector| {
        if !holds(one_name(selector))? {
            return Ok(());
        }
        for group in &mut selector.matchers.or_matchers {
            group.extend(added.iter().cloned());
        }
        if selector.matchers.or_matchers.is_empty() {
            selector.matchers.matchers.extend(added.iter().cloned());
        }
        Ok(())
    })?;
    let written = expression.to_string();
    let again = parser::parse(&written).map_err(QueryError::BadData);
    if again.and_then(in_order)? == in_order(expression)? {
        return Ok(written);
    }
    let why = "the query cannot be held to what you may see; write it in another way";
    Err(QueryError::BadData(why.to_owned()))
}

/// The expression with the conditions of each selector in one order: they are written in another.
fn in_order(mut expression: Expr) -> Result<Expr, QueryError> {
    each_selector(&mut expression, 0, &mut |selector| {
        selector.matchers.matchers.sort_by_cached_key(ToString::to_string);
        Ok(())
    })?;
    Ok(expression)
}

fn one_name(selector: &VectorSelector) -> Option<&str> {
    if !selector.matchers.or_matchers.is_empty() {
        return None;
    }
    let named = |parsed: &&Parsed| parsed.name == NAME && parsed.op == MatchOp::Equal;
    let by_matcher = selector.matchers.matchers.iter().find(named);
    selector.name.as_deref().or(by_matcher.map(|parsed| parsed.value.as_str()))
}

fn each_selector(
    expression: &mut Expr,
    depth: usize,
    work: &mut dyn FnMut(&mut VectorSelector) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    if depth >= MAX_DEPTH {
        let why = format!("the query is nested more than {MAX_DEPTH} deep");
        return Err(QueryError::BadData(why));
    }
    let mut below = |inner: &mut Expr| each_selector(inner, depth + 1, work);
    match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(()),
        Expr::Paren(inner) => below(&mut inner.expr),
        Expr::Unary(inner) => below(&mut inner.expr),
        Expr::Subquery(inner) => below(&mut inner.expr),
        Expr::Binary(binary) => {
            below(&mut binary.lhs)?;
            below(&mut binary.rhs)
        }
        Expr::Aggregate(aggregate) => {
            if let Some(parameter) = &mut aggregate.param {
                below(parameter)?;
            }
            below(&mut aggregate.expr)
        }
        Expr::Call(call) => call.args.args.iter_mut().try_for_each(|argument| below(argument)),
        Expr::VectorSelector(selector) => work(selector),
        Expr::MatrixSelector(selector) => work(&mut selector.vs),
        Expr::Extension(_) => Err(QueryError::unsupported("an extension of the language")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Labels, Memory, Options, Sample, selector};

    const WEB: &str = r#"{container_name=~"web|we[.]b.*",container_name!~"|_other_|none"}"#;

    const ALWAYS: Holds<'static> = &|_| Ok(true);

    /// All ways of the language to come at a series.
    const QUERIES: [&str; 17] = [
        "events",
        "{__name__=\"events\"}",
        "{__name__=~\".+\"}",
        "events{container_name=\"db\"}",
        "events{container_name!=\"web\"}",
        "events{container_name=\"db\" or container_name=\"web\"}",
        "sum by (container_name) (events)",
        "topk(5, events)",
        "topk(scalar(count(events)), events)",
        "rate(events[5m])",
        "max_over_time(events[5m:1m])",
        "max_over_time(events[10m] offset 1m)",
        "-events + on () group_left () vector(1)",
        "events or events{container_name=\"db\"}",
        "events unless on (container_name) events{container_name=\"web\"}",
        "label_replace(events, \"container_name\", \"web\", \"container_name\", \"db\")",
        "sort(last_over_time(events[5m] @ end()))",
    ];

    fn memory(names: &[&str]) -> Memory {
        let mut memory = Memory::default();
        for (at, name) in names.iter().enumerate() {
            let labels = Labels::new([("__name__", "events"), ("container_name", *name)]);
            for time in 0..40 {
                let value = (time * 10 + at as i64) as f64;
                memory.add(&labels, Sample { time: time * 15_000, value });
            }
        }
        memory
    }

    fn asked(storage: &dyn Storage, query: &str) -> String {
        let answer = Engine::new(storage, Options::default(), &|| None).instant(query, 585_000);
        answer.map_or_else(|error| error.to_string(), |answer| answer.to_string())
    }

    #[test]
    fn whatever_is_asked_the_answer_is_as_if_nothing_else_were_there() {
        let (both, web) = (memory(&["web", "db"]), memory(&["web"]));
        let conditions = selector(WEB).unwrap();
        let within = Within { storage: &both, conditions: &conditions, holds: ALWAYS };
        let mut differ = 0;
        for query in QUERIES {
            let expected = asked(&web, query);
            assert_eq!(asked(&within, query), expected, "{query}");
            let written = restrict(query, WEB, ALWAYS).unwrap();
            assert_eq!(asked(&both, &written), expected, "{query} as {written}");
            differ += usize::from(asked(&both, query) != expected);
        }
        assert!(differ > 12, "the queries come at the other series: {differ}");
    }

    #[test]
    fn metrics_are_let_through_or_refused_by_their_one_name() {
        let holds = |name: Option<&str>| match name {
            Some("free") => Ok(false),
            Some("barred") => Err(QueryError::BadData("barred".into())),
            _ => Ok(true),
        };
        for (query, expected) in [
            ("free", "free"),
            ("{__name__=\"free\"}", "{__name__=\"free\"}"),
            ("free + up", "free + up{a=~\"b\"}"),
            ("{__name__=~\"free\"}", "{__name__=~\"free\",a=~\"b\"}"),
        ] {
            assert_eq!(restrict(query, "{a=~\"b\"}", &holds).unwrap(), expected);
        }
        for query in ["barred", "sum(up) + rate(barred[5m])", "{__name__=\"barred\"}"] {
            assert!(restrict(query, WEB, &holds).is_err(), "{query}");
        }
        let deep = format!("{}up{}", "(".repeat(4_000), ")".repeat(4_000));
        assert!(restrict(&deep, WEB, ALWAYS).is_err());
        assert!(restrict("up{", WEB, ALWAYS).is_err());
    }
}
