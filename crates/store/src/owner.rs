//! Whose an alert or incident is: what must be known to tell whether somebody may see it.

use serde::Deserialize;

use crate::codec::{self, Reader};
use crate::error::Fault;

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

impl Owner {
    /// The owner of what belongs to containers of these names.
    pub(crate) fn new<'a>(identity: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let containers = names.map(|name| Named { name: name.to_owned() }).collect();
        Self { identity: identity.to_owned(), container: Named::default(), containers }
    }

    /// Appends it: the identity, and every name.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        codec::put_bytes(out, self.identity.as_bytes());
        for container in &self.containers {
            codec::put_bytes(out, container.name.as_bytes());
        }
    }
}

/// An owner as [`Owner::put`] has written it.
pub(crate) struct PackedOwner<'a>(pub(crate) &'a [u8]);

impl PackedOwner<'_> {
    pub(crate) fn read(&self) -> Result<Owner, Fault> {
        let mut reader = Reader::new(self.0);
        let identity = reader.str()?.to_owned();
        let mut containers = Vec::new();
        while !reader.is_empty() {
            containers.push(Named { name: reader.str()?.to_owned() });
        }
        let container = containers.pop().unwrap_or_default();
        Ok(Owner { identity, container, containers })
    }
}

/// Which alerts or incidents count at all, beside what a query asks for. It is held against what
/// stands beside each that is looked at; only those of earlier builds have to be unpacked for it,
/// which costs some tens of microseconds.
pub type Keep<'a> = Option<&'a dyn Fn(&Owner) -> bool>;
