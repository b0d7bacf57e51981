//! Time series within a scope: the labels by which a metric tells whose it is.

use hanabi_series::{
    Labels, Matcher, QueryError, Series, SeriesStore, Storage, Within, restrict, selector,
};

use super::scope::Scope;

/// The label of the container's name.
const CONTAINER: &str = "container_name";
/// The label of the Kubernetes namespace.
const NAMESPACE: &str = "k8s_namespace";
/// What stands for values past a label's budget, for a container without a name, and for none: it
/// can be anybody's.
const ANYBODYS: &str = "|_other_|unknown|none";
/// Metrics of no container that everybody may see.
const FREE: [&str; 1] = ["hanabi_build_info"];

impl Scope {
    /// The scope as a series selector: patterns as regular expressions. Their letters are those of
    /// [`Scope::problem`], of which only the dot means something in one.
    fn selector(&self) -> String {
        let expression = |pattern: &String| pattern.replace('.', "[.]").replace('*', ".*");
        let conditions: Vec<String> = self
            .labels()
            .map(|(label, patterns)| {
                let any: Vec<String> = patterns.iter().map(expression).collect();
                format!("{label}=~\"{}\",{label}!~\"{ANYBODYS}\"", any.join("|"))
            })
            .collect();
        format!("{{{}}}", conditions.join(","))
    }

    /// The labels that a metric has to have, with their patterns.
    fn labels(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        [(CONTAINER, &self.containers), (NAMESPACE, &self.namespaces)]
            .into_iter()
            .filter(|(_, patterns)| !patterns.is_empty())
    }

    /// Whether the series of a metric are to be held to the selector. Of our own metrics it is known
    /// which labels they have, and it is said so instead of answering nothing.
    fn holds(&self, metric: Option<&str>) -> Result<bool, QueryError> {
        let Some(metric) = metric else { return Ok(true) };
        if FREE.contains(&metric) {
            return Ok(false);
        }
        let known = hanabi_telemetry::definitions().find(|known| known.name == metric);
        let missing = known.and_then(|known| {
            self.labels().map(|(label, _)| label).find(|label| !known.labels.contains(label))
        });
        match missing {
            None => Ok(true),
            Some(label) => Err(QueryError::BadData(format!(
                "{metric} has no label {label}, by which your scope is held: it takes a role without \
                 a scope"
            ))),
        }
    }

    /// The parameters of a query for a server of somebody else's, held to the scope. `lists` is true
    /// where all series are meant when none are selected.
    pub(crate) fn parameters(
        &self,
        given: &[(String, String)],
        lists: bool,
    ) -> Result<Vec<(String, String)>, QueryError> {
        let held = |(name, value): &(String, String)| {
            let is_query = matches!(name.as_str(), "query" | "match[]") && !self.is_everything();
            let value = if is_query {
                restrict(value, &self.selector(), &|metric| self.holds(metric))?
            } else {
                value.clone()
            };
            Ok((name.clone(), value))
        };
        let mut all = given.iter().map(held).collect::<Result<Vec<_>, QueryError>>()?;
        let selects = given.iter().any(|(name, _)| name == "match[]");
        if lists && !selects && !self.is_everything() {
            all.push(("match[]".to_owned(), self.selector()));
        }
        Ok(all)
    }
}

/// Our own series as somebody may see them.
pub(crate) struct SeenSeries<'a> {
    store: &'a SeriesStore,
    scope: &'a Scope,
    conditions: Vec<Matcher>,
}

impl<'a> SeenSeries<'a> {
    pub(crate) fn new(store: &'a SeriesStore, scope: &'a Scope) -> Result<Self, QueryError> {
        let everything = scope.is_everything();
        let conditions = if everything { Vec::new() } else { selector(&scope.selector())? };
        Ok(Self { store, scope, conditions })
    }

    /// The labels of the series that meet all conditions, of those with a sample in a span where
    /// there is one.
    pub(crate) fn labels(
        &self,
        matchers: &[Matcher],
        span: Option<(i64, i64)>,
    ) -> Result<Vec<Labels>, QueryError> {
        let matchers = self.within(|within| within.held(matchers))?;
        match span {
            None => Ok(self.store.labels(&matchers)),
            Some(span) => {
                let found = self.store.labels_between(&matchers, span);
                found.map_err(|error| QueryError::Execution(error.to_string()))
            }
        }
    }

    fn within<T>(&self, work: impl FnOnce(&Within<'_>) -> T) -> T {
        let holds = |metric: Option<&str>| {
            if self.scope.is_everything() { Ok(false) } else { self.scope.holds(metric) }
        };
        let Self { store, conditions, .. } = self;
        work(&Within { storage: *store, conditions, holds: &holds })
    }
}

impl Storage for SeenSeries<'_> {
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<Vec<Series>, QueryError> {
        self.within(|within| within.select(matchers, from, to, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(namespaces: &[&str], containers: &[&str]) -> Scope {
        let owned = |patterns: &[&str]| patterns.iter().map(|&p| p.to_owned()).collect();
        Scope { namespaces: owned(namespaces), containers: owned(containers) }
    }

    #[test]
    fn patterns_select_what_they_cover() {
        for (namespaces, containers, namespace, container, seen) in [
            (&[][..], &["web"][..], "none", "web", true),
            (&[], &["web"], "none", "web2", false),
            (&[], &["we.b"], "none", "we.b", true),
            (&[], &["we.b"], "none", "wexb", false),
            (&[], &["a", "w*"], "none", "web", true),
            (&[], &["*"], "none", "_other_", false),
            (&[], &["*"], "none", "unknown", false),
            (&[], &["*"], "none", "", false),
            (&["shop"], &[], "shop", "_other_", true),
            (&["shop", "x"], &["w*"], "shop", "web", true),
            (&["shop"], &["w*"], "shop2", "web", false),
            (&["*"], &[], "none", "web", false),
        ] {
            let scope = scope(namespaces, containers);
            let labels = Labels::new([(NAMESPACE, namespace), (CONTAINER, container)]);
            let conditions = selector(&scope.selector()).unwrap();
            let accepted = conditions.iter().all(|condition| condition.accepts(&labels));
            assert_eq!(accepted, seen, "{scope:?} {namespace} {container}");
        }
    }

    #[test]
    fn metrics_without_the_labels_are_refused_by_name() {
        let (by_name, by_namespace) = (scope(&[], &["web"]), scope(&["shop"], &[]));
        for (metric, named, spaced) in [
            (Some("syscall_events_total"), Some(true), Some(true)),
            (Some("security_alerts_total"), Some(true), None),
            (Some("hanabi_events_total"), None, None),
            (Some("process_open_fds"), None, None),
            (Some("hanabi_build_info"), Some(false), Some(false)),
            (Some("of_somebody_else"), Some(true), Some(true)),
            (None, Some(true), Some(true)),
        ] {
            assert_eq!(by_name.holds(metric).ok(), named, "{metric:?}");
            assert_eq!(by_namespace.holds(metric).ok(), spaced, "{metric:?}");
        }
    }

    #[test]
    fn parameters_for_another_server_are_held() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let scope = scope(&[], &["web"]);
        // As it is written, in order.
        let conditions = "container_name!~\"|_other_|unknown|none\",container_name=~\"web\"";
        let given = [pair("query", "sum(x)"), pair("time", "1")];
        let held = scope.parameters(&given, false).unwrap();
        assert_eq!(held, [pair("query", &format!("sum(x{{{conditions}}})")), pair("time", "1")]);
        let listed = scope.parameters(&[pair("match[]", "x")], true).unwrap();
        assert_eq!(listed, [pair("match[]", &format!("x{{{conditions}}}"))]);
        assert_eq!(scope.parameters(&[], true).unwrap(), [pair("match[]", &scope.selector())]);
        assert_eq!(Scope::everything().parameters(&given, true).unwrap(), given);
        assert!(scope.parameters(&[pair("query", "hanabi_events_total")], false).is_err());
    }
}
