//! The fields that are read from a line, before they become a record.

use crate::Span;

/// Names every key that is read, in the order in which Falco prints them.
macro_rules! keys {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// A key of a Falco line that is known here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Key { $($name),* }

        impl Key {
            pub(super) const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// The key as it is printed.
            pub(super) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

keys! {
    Hostname = "hostname",
    Output = "output",
    OutputFields = "output_fields",
    Priority = "priority",
    Rule = "rule",
    Source = "source",
    Tags = "tags",
    Time = "time",
    ContainerId = "container.id",
    ContainerImage = "container.image",
    Repository = "container.image.repository",
    Tag = "container.image.tag",
    ContainerName = "container.name",
    Args = "evt.args",
    Direction = "evt.dir",
    Number = "evt.num",
    RawTime = "evt.rawtime",
    Result = "evt.res",
    EventTime = "evt.time",
    IsoTime = "evt.time.iso8601",
    Call = "evt.type",
    FdDirectory = "fd.directory",
    FdFilename = "fd.filename",
    FdName = "fd.name",
    FdNumber = "fd.num",
    FdType = "fd.type",
    FdTypechar = "fd.typechar",
    Namespace = "k8s.ns.name",
    Pod = "k8s.pod.name",
    Grandparent = "proc.aname[2]",
    Arguments = "proc.args",
    CommandLine = "proc.cmdline",
    Executable = "proc.exepath",
    ProcessName = "proc.name",
    Pid = "proc.pid",
    Parent = "proc.pname",
    ParentPid = "proc.ppid",
    Tty = "proc.tty",
    LoginUid = "user.loginuid",
    UserName = "user.name",
    Uid = "user.uid",
}

impl Key {
    pub(super) const COUNT: usize = Self::ALL.len();
    /// The first key of `output_fields`; those before it are the line's own.
    pub(super) const FIRST_INNER: usize = Self::ContainerId as usize;

    /// The key of that name on the given level.
    pub(super) fn find(name: &[u8], inner: bool) -> Option<Self> {
        let keys =
            if inner { &Self::ALL[Self::FIRST_INNER..] } else { &Self::ALL[..Self::FIRST_INNER] };
        keys.iter().copied().find(|key| key.text().as_bytes() == name)
    }
}

/// One value of a line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// A string, or an array as text.
    Text(Span),
    Positive(u64),
    Negative(i64),
}

/// The values of one line. Null, booleans and nested values of known keys are absent.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    /// A bit for every key that was met, whatever its value.
    seen: u64,
    /// A bit for every key with a value in `values`.
    present: u64,
    values: [Value; Key::COUNT],
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { seen: 0, present: 0, values: [Value::Positive(0); Key::COUNT] }
    }

    /// Forgets all values, without the cost of overwriting them.
    pub(super) fn clear(&mut self) {
        self.seen = 0;
        self.present = 0;
    }

    /// Notes that a key was met; false when it had been met before.
    #[inline]
    pub(super) fn meet(&mut self, key: Key) -> bool {
        let bit = 1 << key as u32;
        let fresh = self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }

    #[inline]
    pub(super) fn set(&mut self, key: Key, value: Value) {
        self.present |= 1 << key as u32;
        self.values[key as usize] = value;
    }

    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<Value> {
        (self.present & (1 << key as u32) != 0).then(|| self.values[key as usize])
    }

    /// The span of a string; the empty one for anything else.
    #[inline]
    pub(super) fn text(&self, key: Key) -> Span {
        match self.get(key) {
            Some(Value::Text(span)) => span,
            _ => Span::default(),
        }
    }
}
