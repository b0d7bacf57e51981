//! The snapshot: the specification's `TreeNode`, made from the tree in memory.

use hanabi_event::{Category, EventTime, time::format_time};
use serde_json::{Map, Value, json};

use crate::{
    access::Access,
    key::branch_index,
    names::NameId,
    node::{Node, NodeId, NodeKind, Origin},
    profile::Profile,
    program::ProgramInfo,
    tree_node::TreeNode,
};

/// The version of the snapshot format, in the root's metadata.
pub const SNAPSHOT_VERSION: u64 = 1;

impl Profile {
    /// The whole tree as `TreeNode`s: root, branch, operation, process, attributes.
    pub fn snapshot(&self) -> TreeNode {
        let mut root = node("root", "root");
        for category in [Category::Process, Category::Network, Category::File] {
            let name = format!("{}_branch", category.as_str());
            root.children.insert(name.clone(), node(&name, "branch"));
        }
        for (program, info) in self.programs() {
            self.view_program(&mut root, program, info);
        }
        for branch in root.children.values_mut() {
            for operation in branch.children.values_mut() {
                operation.events_count = operation.children.values().map(|c| c.events_count).sum();
                span_of_children(operation);
            }
            branch.events_count = branch.children.values().map(|c| c.events_count).sum();
            span_of_children(branch);
        }
        root.events_count = root.children.values().map(|c| c.events_count).sum();
        self.root_metadata(&mut root);
        root
    }

    fn root_metadata(&self, root: &mut TreeNode) {
        let metadata = &mut root.metadata;
        metadata.insert("version".into(), SNAPSHOT_VERSION.into());
        metadata.insert("identity".into(), self.identity.clone().into());
        metadata.insert("phase".into(), self.phase.as_str().into());
        metadata.insert("nodes".into(), self.tree.len().into());
        metadata.insert("folded".into(), self.tree.folded.into());
        if self.tree.coarsenings > 0 {
            metadata.insert("coarsened".into(), self.tree.coarsenings.into());
        }
        if self.tree.origins.names.len() > 1 {
            let mut names = self.tree.origins.names.clone();
            names.sort();
            metadata.insert("origins".into(), json!(names));
        }
        metadata.insert("revisions".into(), json!(self.revisions));
        metadata.insert("first_seen".into(), format_time(self.first_seen).into());
        metadata.insert("last_seen".into(), format_time(self.last_seen).into());
    }

    fn view_program(&self, root: &mut TreeNode, program: NodeId, info: &ProgramInfo) {
        for operation in self.tree.children(program) {
            let data = self.tree.node(operation);
            if data.kind == NodeKind::Operation {
                let process = self.process_node(root, data.name, info);
                process.events_count += data.count;
                seen(&mut process.metadata, data.first.max(info.first), data.last);
                attribute(process, "exe_path", &info.executable, data);
                attribute(process, "user", &info.user, data);
            }
        }
        let mut trail = Vec::new();
        for child in self.tree.children(program) {
            if self.tree.node(child).kind != NodeKind::Operation {
                self.view_leafs(root, info, child, &mut trail);
            }
        }
    }

    /// Puts a node that events ended at under every operation that ended there.
    fn view_leafs(
        &self,
        root: &mut TreeNode,
        info: &ProgramInfo,
        id: NodeId,
        trail: &mut Vec<NodeId>,
    ) {
        trail.push(id);
        let data = self.tree.node(id);
        for (call, count) in self.tree.calls.list(data.first_call) {
            let mut at = self.process_node(root, call, info);
            for step in trail.iter() {
                let step_node = self.tree.node(*step);
                let name = self.tree.name(*step);
                let kind = view_kind(step_node);
                let child =
                    at.children.entry(format!("{kind}:{name}")).or_insert_with(|| node(name, kind));
                child.events_count += count;
                seen(&mut child.metadata, data.first, data.last);
                at = child;
            }
            self.leaf_metadata(at, id, data);
        }
        for child in self.tree.children(id) {
            self.view_leafs(root, info, child, trail);
        }
        trail.pop();
    }

    fn leaf_metadata(&self, at: &mut TreeNode, id: NodeId, data: &Node) {
        if data.access != Access::empty() {
            at.metadata.insert("access".into(), json!(data.access.words()));
        }
        at.metadata.insert("seconds".into(), data.slots.into());
        at.metadata.insert("origin".into(), json!(data.origin));
        if let Some(merge) = self.tree.merges.get(&id) {
            at.metadata.insert("support".into(), merge.support.into());
            let examples = self.tree.examples(merge);
            if !examples.is_empty() {
                at.metadata.insert("examples".into(), json!(examples));
            }
        }
        if data.origin == Origin::Rest {
            at.metadata.insert("coarsened".into(), true.into());
        }
        if self.tree.revisions.differ() {
            let images: Vec<&str> = self.tree.revisions.images(data.revisions).collect();
            at.metadata.insert("revisions".into(), json!(images));
        }
        let types: Vec<&str> = token_types(&at.name);
        if !types.is_empty() {
            at.metadata.insert("token_types".into(), json!(types));
        }
    }

    fn process_node<'t>(
        &self,
        root: &'t mut TreeNode,
        call: NameId,
        info: &ProgramInfo,
    ) -> &'t mut TreeNode {
        let prefix = self.tree.names.get(call).split_once(':').map_or("", |(p, _)| p);
        let category = match prefix {
            "n" => Category::Network,
            "f" => Category::File,
            _ => Category::Process,
        };
        debug_assert!(branch_index(category) < 3);
        let (branch_name, kind) = match category {
            Category::Network => ("network_branch", "network_operation"),
            Category::File => ("file_branch", "file_operation"),
            Category::Process | Category::Unknown => ("process_branch", "process_operation"),
        };
        let call = self.call_name(call);
        let branch =
            root.children.entry(branch_name.into()).or_insert_with(|| node(branch_name, "branch"));
        let operation = branch.children.entry(call.to_owned()).or_insert_with(|| node(call, kind));
        operation
            .children
            .entry(info.name.clone())
            .or_insert_with(|| node(&info.name, "process_name"))
    }
}

fn node(name: &str, kind: &str) -> TreeNode {
    TreeNode { name: name.to_owned(), kind: kind.to_owned(), ..TreeNode::default() }
}

impl Profile {
    /// The nodes that a snapshot shows at `keys`, the keys of `children` from the root's on. There
    /// may be several: programs of one name are one in the snapshot. Linear in the programs.
    pub fn nodes_at(&self, keys: &[impl AsRef<str>]) -> Vec<NodeId> {
        let [_branch, _operation, process, steps @ ..] = keys else { return Vec::new() };
        if steps.is_empty() {
            return Vec::new();
        }
        self.programs()
            .filter(|(_, info)| info.name == process.as_ref())
            .filter_map(|(program, _)| {
                steps.iter().try_fold(program, |at, key| self.child_shown_as(at, key.as_ref()))
            })
            .collect()
    }

    fn child_shown_as(&self, parent: NodeId, key: &str) -> Option<NodeId> {
        let (kind, name) = key.split_once(':')?;
        self.tree
            .children(parent)
            .find(|id| self.tree.name(*id) == name && view_kind(self.tree.node(*id)) == kind)
    }
}

/// A name that was only ever listed or entered is a directory, though it stood last in its path.
fn view_kind(node: &Node) -> &'static str {
    let directory = node.access.contains(Access::LIST)
        && !node.access.intersects(Access::READ | Access::WRITE | Access::EXECUTE);
    match node.kind {
        NodeKind::File if directory || node.width > 0 => "directory_path",
        NodeKind::Root => "root",
        NodeKind::Program => "process_name",
        NodeKind::Operation => "operation",
        NodeKind::Parent => "parent_name",
        NodeKind::Argument => "cmd_argument",
        NodeKind::Directory => "directory_path",
        NodeKind::File => "file_name",
        NodeKind::Direction
        | NodeKind::Class
        | NodeKind::Port
        | NodeKind::Peer
        | NodeKind::Unix
        | NodeKind::Socket => "network_attribute",
    }
}

fn attribute(process: &mut TreeNode, kind: &str, name: &str, data: &Node) {
    if name.is_empty() || data.count == 0 {
        return;
    }
    let child =
        process.children.entry(format!("{kind}:{name}")).or_insert_with(|| node(name, kind));
    child.events_count += data.count;
    seen(&mut child.metadata, data.first, data.last);
}

fn seen(metadata: &mut Map<String, Value>, first: EventTime, last: EventTime) {
    let first = format_time(first);
    let last = format_time(last);
    let earlier =
        metadata.get("first_seen").and_then(Value::as_str).is_none_or(|at| first.as_str() < at);
    if earlier {
        metadata.insert("first_seen".into(), first.into());
    }
    let later =
        metadata.get("last_seen").and_then(Value::as_str).is_none_or(|at| last.as_str() > at);
    if later {
        metadata.insert("last_seen".into(), last.into());
    }
}

fn span_of_children(node: &mut TreeNode) {
    let edge = |key: &str, low: bool| {
        let times =
            node.children.values().filter_map(|c| c.metadata.get(key).and_then(Value::as_str));
        if low { times.min() } else { times.max() }.map(str::to_owned)
    };
    for (key, low) in [("first_seen", true), ("last_seen", false)] {
        if let Some(time) = edge(key, low) {
            node.metadata.insert(key.into(), time.into());
        }
    }
}

/// The typed tokens in a name: `<num>`, `<ip:private>`, `*`.
fn token_types(name: &str) -> Vec<&str> {
    let mut types: Vec<&str> = Vec::new();
    let mut rest = name;
    while let Some(start) = rest.find('<') {
        let Some(tail) = rest.get(start..) else { break };
        let Some(end) = tail.find('>') else { break };
        if let Some(token) = tail.get(..=end)
            && !types.contains(&token)
        {
            types.push(token);
        }
        rest = tail.get(end + 1..).unwrap_or_default();
    }
    if name.contains('*') {
        types.push("*");
    }
    types
}
