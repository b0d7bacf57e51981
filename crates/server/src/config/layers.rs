//! Defaults, file, environment and flags laid over one another, each value with its origin.
//!
//! `default.toml` is the one list of keys: what it does not name does not exist, and a value
//! of another type than its default is refused here, before anything is interpreted.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use super::{
    nearest::nearest,
    problem::{Origin, Problem},
};

/// The commented file of all keys.
pub(crate) const DEFAULT_TOML: &str = include_str!("default.toml");

/// What begins the name of an environment variable that sets a key.
const ENVIRONMENT_PREFIX: &str = "HANABI_";

/// The section of outputs, and in it the pattern that all of them are made from.
pub(super) const OUTPUTS: &str = "outputs";
pub(super) const PATTERN: &str = "NAME";
/// The longest name of an output, in bytes: it is a folder's and a thread's name, too.
const OUTPUT_NAME: usize = 32;

/// Where Docker's own tools look for the engine.
const DOCKER_HOST: &str = "DOCKER_HOST";

/// The value in force for one key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// All keys (`section.key`) with the values in force.
#[derive(Debug)]
pub(super) struct Layers {
    entries: BTreeMap<String, Entry>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Layers {
    /// The lowest layer.
    pub(super) fn defaults() -> Self {
        let mut layers =
            Self { entries: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
        match DEFAULT_TOML.parse::<Table>() {
            Ok(table) => {
                for (key, value) in flatten(table) {
                    layers.entries.insert(key, Entry { value, origin: Origin::Default });
                }
            }
            Err(error) => layers.problems.push(Problem::new(
                "default.toml",
                &Origin::Default,
                format!("cannot be read: {}", error.message()),
            )),
        }
        layers
    }

    /// The value in force.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// All keys in alphabetical order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry))
    }

    /// Lays a configuration file over what is there.
    pub(super) fn file(&mut self, path: &Path, text: &str) {
        let origin = Origin::File(path.to_path_buf());
        match text.parse::<Table>() {
            Ok(table) => {
                for (key, value) in flatten(table) {
                    self.put(&key, value, &origin);
                }
            }
            Err(error) => {
                let line = error.span().map_or(1, |span| {
                    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
                });
                self.problems.push(Problem::new(
                    format!("line {line}"),
                    &origin,
                    format!("is not TOML: {}", error.message()),
                ));
            }
        }
    }

    /// Lays `HANABI_SECTION_KEY` variables over what is there.
    ///
    /// An unknown one is only warned about: Kubernetes puts variables such as
    /// `HANABI_SERVER_PORT` into every pod beside a service of that name.
    pub(super) fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let mut known: BTreeMap<String, String> =
            self.entries.keys().map(|key| (variable_name(key), key.clone())).collect();
        for name in self.outputs() {
            for key in self.pattern() {
                let key = format!("{OUTPUTS}.{name}.{key}");
                known.insert(variable_name(&key), key);
            }
        }
        for (name, text) in variables {
            if name == DOCKER_HOST && !text.is_empty() {
                self.docker_host(&text);
            } else if let Some(key) = known.get(&name) {
                self.put_text(key, &text, &Origin::Environment(name));
            } else if self.names_a_section(&name) {
                let bare = |name: &str| name.trim_start_matches(ENVIRONMENT_PREFIX).to_owned();
                let names: Vec<String> = known.keys().map(|name| bare(name)).collect();
                let hint = nearest(&bare(&name), names.iter().map(String::as_str))
                    .map(|known| format!(" (did you mean {ENVIRONMENT_PREFIX}{known}?)"))
                    .unwrap_or_default();
                self.warnings.push(format!("environment variable {name} is no key{hint}"));
            }
        }
    }

    /// Docker's own word counts where nobody has said anything to this service.
    fn docker_host(&mut self, text: &str) {
        const KEY: &str = "sources.docker_host";
        if self.get(KEY).is_none_or(|entry| entry.origin != Origin::Default) {
            return;
        }
        if ["unix:///", "tcp://"].iter().any(|scheme| text.starts_with(scheme)) {
            self.put_text(KEY, text, &Origin::Environment(DOCKER_HOST.to_owned()));
        } else {
            let why = "is of a kind that cannot be used; sources of Docker are looked for at";
            let there = hanabi_ingest::DEFAULT_DOCKER_HOST;
            self.warnings.push(format!("{DOCKER_HOST} = {text} {why} {there}, see {KEY}"));
        }
    }

    /// Lays one value over what is there, given as text.
    pub(super) fn put_text(&mut self, key: &str, text: &str, origin: &Origin) {
        match self.default_of(key).map(|value| typed(text, value)) {
            Some(Ok(value)) => self.put(key, value, origin),
            Some(Err(why)) => {
                self.problems.push(Problem::new(format!("{key} = {text}"), origin, why));
            }
            None => self.unknown(key, origin),
        }
    }

    fn put(&mut self, key: &str, value: Value, origin: &Origin) {
        let Some(default) = self.default_of(key) else {
            self.unknown(key, origin);
            return;
        };
        match adapt(value, default) {
            Ok(value) => {
                self.entries.insert(key.to_owned(), Entry { value, origin: origin.clone() });
            }
            Err((value, why)) => {
                self.problems.push(Problem::new(format!("{key} = {value}"), origin, why));
            }
        }
    }

    /// The names of the outputs that there is anything said of.
    pub(super) fn outputs(&self) -> Vec<String> {
        let name = |key: &String| Some(output_key(key)?.0.to_owned());
        let mut names: Vec<String> = self.entries.keys().filter_map(name).collect();
        names.retain(|name| name != PATTERN);
        names.dedup();
        names
    }

    /// The keys of an output, without section and name.
    fn pattern(&self) -> Vec<String> {
        let of_pattern = |key: &String| {
            let (name, key) = output_key(key)?;
            (name == PATTERN).then(|| key.to_owned())
        };
        self.entries.keys().filter_map(of_pattern).collect()
    }

    /// Gives every output what only the pattern says.
    pub(super) fn complete_outputs(&mut self) {
        for name in self.outputs() {
            for key in self.pattern() {
                let entry = self.entries.get(&format!("{OUTPUTS}.{PATTERN}.{key}")).cloned();
                if let Some(entry) = entry {
                    self.entries.entry(format!("{OUTPUTS}.{name}.{key}")).or_insert(entry);
                }
            }
        }
    }

    /// A value of the type that a key has; nothing for a key that does not exist.
    fn default_of(&self, key: &str) -> Option<&Value> {
        let pattern = || {
            let (name, key) = output_key(key)?;
            is_output_name(name).then(|| format!("{OUTPUTS}.{PATTERN}.{key}"))
        };
        let entry = self.entries.get(key).or_else(|| self.entries.get(&pattern()?));
        entry.map(|entry| &entry.value)
    }

    fn unknown(&mut self, key: &str, origin: &Origin) {
        let section = key.strip_prefix(OUTPUTS).and_then(|rest| rest.strip_prefix('.'));
        if section.is_some_and(|name| !name.contains('.')) {
            let why = "is no section with keys in it; an output has at least `kind`";
            self.problems.push(Problem::new(key, origin, why));
            return;
        }
        if let Some((name, rest)) = output_key(key) {
            let pattern = self.pattern();
            let why = if !is_output_name(name) {
                format!(
                    "names an output {name:?}, and names are small letters, digits and `_`, up to \
                     {OUTPUT_NAME} of them, a letter first"
                )
            } else if let Some(known) = nearest(rest, pattern.iter().map(String::as_str)) {
                format!("is not a known key; did you mean `{OUTPUTS}.{name}.{known}`?")
            } else {
                format!("is not a known key; an output has {}", pattern.join(", "))
            };
            self.problems.push(Problem::new(key, origin, why));
            return;
        }
        let hint = self
            .nearest_key(key)
            .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        self.problems.push(Problem::new(key, origin, format!("is not a known key{hint}")));
    }

    /// The key spelled most alike, or the one of the same name in another section.
    fn nearest_key(&self, key: &str) -> Option<&str> {
        let last = key.rsplit('.').next().unwrap_or(key);
        let keys = || self.entries.keys().map(String::as_str);
        nearest(key, keys())
            .or_else(|| keys().find(|known| known.rsplit('.').next() == Some(last)))
            .or_else(|| {
                let names = keys().filter_map(|known| known.rsplit('.').next());
                let name = nearest(last, names)?;
                keys().find(|known| known.rsplit('.').next() == Some(name))
            })
    }

    fn names_a_section(&self, variable: &str) -> bool {
        let Some(rest) = variable.strip_prefix(ENVIRONMENT_PREFIX) else { return false };
        self.entries.keys().filter_map(|key| key.split('.').next()).any(|section| {
            rest.strip_prefix(&section.to_uppercase()).is_some_and(|tail| tail.starts_with('_'))
        })
    }
}

/// The output's name and the rest of a key that is one's.
fn output_key(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(OUTPUTS)?.strip_prefix('.')?.split_once('.')
}

fn is_output_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.len() <= OUTPUT_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain)
}

/// `learn.warmup` is set by `HANABI_LEARN_WARMUP`.
pub(super) fn variable_name(key: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// Sections become prefixes, of outputs with their names; another table inside a section stays whole and is refused as a value.
fn flatten(table: Table) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(outputs) if section == OUTPUTS => {
                for (name, value) in outputs {
                    match value {
                        Value::Table(keys) if !keys.is_empty() => {
                            let named = |(key, value)| (format!("{OUTPUTS}.{name}.{key}"), value);
                            flat.extend(keys.into_iter().map(named));
                        }
                        value => flat.push((format!("{OUTPUTS}.{name}"), value)),
                    }
                }
            }
            Value::Table(keys) => {
                flat.extend(
                    keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)),
                );
            }
            value => flat.push((section, value)),
        }
    }
    flat
}

/// Text from the environment or a flag, read as the type that the default has.
fn typed(text: &str, default: &Value) -> Result<Value, String> {
    let expects = |what: &str| format!("must be {what}");
    match default {
        Value::Integer(_) => {
            text.parse().map(Value::Integer).map_err(|_| expects("a whole number"))
        }
        Value::Float(_) => text.parse().map(Value::Float).map_err(|_| expects("a number")),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| expects("true or false")),
        Value::Table(_) => pairs(text),
        Value::Array(_) => Ok(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()))
                .collect(),
        )),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// `/var/lib=16, /srv=200` as a table of whole numbers.
fn pairs(text: &str) -> Result<Value, String> {
    let pair = |item: &str| {
        let (key, number) = item.rsplit_once('=')?;
        Some((key.trim().to_owned(), Value::Integer(number.trim().parse().ok()?)))
    };
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| pair(item).ok_or_else(|| "must be pairs such as /var/lib=16".to_owned()))
        .collect::<Result<Table, String>>()
        .map(Value::Table)
}

/// A file's value if it has the default's type; a whole number will do for a fraction.
fn adapt(value: Value, default: &Value) -> Result<Value, (Value, String)> {
    match (&value, default) {
        (Value::Integer(number), Value::Float(_)) => Ok(Value::Float(*number as f64)),
        (Value::Array(items), Value::Array(_)) => {
            if items.iter().all(Value::is_str) {
                Ok(value)
            } else {
                Err((value, "must be a list of strings".into()))
            }
        }
        (Value::Table(items), Value::Table(_)) if !items.values().all(Value::is_integer) => {
            Err((value, "must be a table of whole numbers".into()))
        }
        _ if value.same_type(default) => Ok(value),
        _ => {
            let why = match default {
                Value::String(_) => format!("must be a string in quotes, such as {default}"),
                Value::Integer(_) => "must be a whole number".into(),
                Value::Float(_) => "must be a number".into(),
                Value::Boolean(_) => "must be true or false".into(),
                Value::Table(_) => "must be a table of whole numbers".into(),
                _ => "must be a list of strings".into(),
            };
            Err((value, why))
        }
    }
}
