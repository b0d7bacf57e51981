//! `hanabi profile …`: what people type.

use clap::{Args, Subcommand};

use super::ServiceArgs;

/// `hanabi profile`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProfileArgs {
    /// Which service.
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ProfileCommand,
}

/// What can be done with profiles.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the containers with the phases of their profiles.
    List,
    /// Print a behaviour tree as an outline.
    Show {
        /// A container's id or name, or an identity.
        #[arg(value_name = "ID")]
        id: String,
        /// Only this branch: `process`, `network` or `file`.
        #[arg(long, value_name = "BRANCH")]
        branch: Option<String>,
        /// Only what lies below this node: the keys of `children`, as in
        /// `/file_branch/openat/nginx`.
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
        /// Only nodes whose name contains this, and the way to them.
        #[arg(long = "search", value_name = "TEXT")]
        query: Option<String>,
        /// Levels below the node at most.
        #[arg(long, value_name = "N")]
        depth: Option<u32>,
    },
    /// Undo a merge: its members are nodes again, and stay apart.
    Split {
        /// Whose.
        #[command(flatten)]
        target: ProfileTarget,
        /// The merged node, as `show` names it: `/file_branch/openat/nginx/file_name:*.html`.
        #[arg(value_name = "NODE")]
        node: String,
    },
    /// Go back to a restore point (`/api/hbt/ID/history` lists them); what people have decided stays.
    Rollback {
        /// Whose.
        #[command(flatten)]
        target: ProfileTarget,
        /// The newest point of this time (RFC 3339) or before.
        #[arg(long, value_name = "TIME", required_unless_present = "revision")]
        to: Option<String>,
        /// The newest point whose newest image is this.
        #[arg(long, value_name = "IMAGE", conflicts_with = "to")]
        revision: Option<String>,
    },
    /// Learn anew; what people have decided stays.
    Relearn {
        /// Whose.
        #[command(flatten)]
        target: ProfileTarget,
    },
    /// End learning and let nothing change the profile.
    Freeze {
        /// Whose.
        #[command(flatten)]
        target: ProfileTarget,
    },
    /// Let a frozen profile go on.
    Unfreeze {
        /// Whose.
        #[command(flatten)]
        target: ProfileTarget,
    },
}

/// Which profile, and whether to change it.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProfileTarget {
    /// A container's id or name, or an identity.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Only tell what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
