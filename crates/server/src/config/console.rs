//! `[console]`: what the console shows that is not ours.

use hanabi_api::{Dashboard, Grafana};
use url::Url;

use super::validate::Checker;

/// Each is a tab of one page: more cannot be told apart.
const DASHBOARDS_MAX: usize = 20;
/// Characters of a tab's name.
const NAME_MAX: usize = 60;

/// Reads the section; none where no Grafana is named.
pub(super) fn read(check: &mut Checker<'_>) -> Option<Grafana> {
    let text = check.text("console.grafana_url").to_owned();
    let names = check.list("console.grafana_dashboards");
    if names.len() > DASHBOARDS_MAX {
        let remedy = format!("has {} dashboards; at most {DASHBOARDS_MAX}", names.len());
        check.problem("console.grafana_dashboards", &remedy);
    }
    if text.is_empty() {
        if !names.is_empty() {
            let remedy = "has dashboards, but console.grafana_url does not say of which Grafana";
            check.problem("console.grafana_dashboards", remedy);
        }
        return None;
    }
    let Some(base) = base(&text) else {
        let remedy = "must be empty, or http://HOST:PORT/PATH or https://HOST:PORT/PATH";
        check.problem("console.grafana_url", remedy);
        return None;
    };
    let mut dashboards = Vec::new();
    for name in names {
        match dashboard(&base, &name) {
            Ok(one) => dashboards.push(one),
            Err(why) => {
                check.problem("console.grafana_dashboards", &format!("has {name:?}, which {why}"));
            }
        }
    }
    Some(Grafana { origin: base.origin().ascii_serialization(), dashboards })
}

/// A URL without what would end up in browsers' histories (a password) or means nothing in front of
/// a path.
fn base(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(url)
}

fn dashboard(base: &Url, text: &str) -> Result<Dashboard, String> {
    let (name, path) = text.split_once('=').ok_or("is not NAME=PATH")?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(format!("has a name that is empty or longer than {NAME_MAX} characters"));
    }
    if !path.starts_with('/') {
        return Err("has a path that does not begin with /".into());
    }
    let whole = format!("{}{path}", base.as_str().trim_end_matches('/'));
    let url = Url::parse(&whole).map_err(|error| format!("is no address: {error}"))?;
    Ok(Dashboard { name: name.to_owned(), url: url.into() })
}
