//! A merge that a person undoes.

use crate::{Watch, triage::Refusal};
use hanabi_profile::Limits;

/// What became of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitInto {
    /// The members that are nodes again, sorted by name.
    pub members: Vec<String>,
    /// Nodes of the tree afterwards.
    pub nodes: usize,
}

impl Watch {
    /// Splits the merge that a snapshot shows at these keys of `children`, from the root's on; see
    /// [`hanabi_profile::Profile::split`]. Each is split where programs of one name have several.
    pub fn split(&mut self, keys: &[String], limits: &Limits) -> Result<SplitInto, Refusal> {
        let found = self.profile.nodes_at(keys);
        if found.is_empty() {
            return Err(Refusal::NoNode);
        }
        let (mut members, mut refused) = (Vec::new(), None);
        for node in found {
            match self.profile.split(node, limits) {
                Ok(nodes) => {
                    members.extend(nodes.iter().map(|id| self.profile.tree.name(*id).to_owned()));
                }
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if members.is_empty() => Err(Refusal::Split(error)),
            Some(_) | None => {
                members.sort();
                members.dedup();
                Ok(SplitInto { members, nodes: self.profile.tree.len() })
            }
        }
    }
}
