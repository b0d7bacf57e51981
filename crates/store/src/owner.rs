//! Whose an alert or incident is: what must be known to tell whether somebody may see it.

use serde::Deserialize;

/// The containers of an alert or incident, read without the rest of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// The profile's identity.
    pub identity: String,
    container: Named,
    containers: Vec<Named>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

impl Owner {
    /// The names of its containers, at least one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.containers.iter().chain([&self.container]).map(|container| container.name.as_str())
    }
}

/// Which alerts or incidents count at all, beside what a query asks for. Each that is looked at
/// has to be unpacked, which costs some tens of microseconds.
pub type Keep<'a> = Option<&'a dyn Fn(&Owner) -> bool>;
