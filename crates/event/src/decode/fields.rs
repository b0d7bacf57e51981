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
    /// Null, a boolean, or something nested.
    Absent,
    /// A string, or an array as text.
    Text(Span),
    Positive(u64),
    Negative(i64),
}

/// The values of one line.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    /// A bit for every key that was met; the others' values are of earlier lines.
    seen: u64,
    /// By key; a power of two, so that finding one needs no check.
    values: [Value; Self::SLOTS],
}

impl Fields {
    const SLOTS: usize = 64;
    /// The slot for the values of all keys that are not known.
    pub(super) const UNKNOWN: u8 = 63;

    pub(super) fn new() -> Self {
        Self { seen: 0, values: [Value::Absent; Self::SLOTS] }
    }

    /// Forgets all values, without the cost of overwriting them.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.seen = 0;
    }

    /// Makes the values of these keys, a bit for each, those of the line.
    #[inline]
    pub(super) fn admit(&mut self, seen: u64) {
        self.seen = seen;
    }

    /// Writes a value, which counts once its key is admitted.
    #[inline]
    pub(super) fn write(&mut self, slot: u8, value: Value) {
        self.values[slot as usize % Self::SLOTS] = value;
    }

    /// Writes and admits a value.
    pub(super) fn set(&mut self, key: Key, value: Value) {
        self.seen |= 1 << key as u32;
        self.write(key as u8, value);
    }

    #[inline]
    pub(super) fn get(&self, key: Key) -> Value {
        if self.seen & (1 << key as u32) == 0 {
            return Value::Absent;
        }
        self.values[key as usize]
    }

    /// The span of a string; the empty one for anything else.
    #[inline]
    pub(super) fn text(&self, key: Key) -> Span {
        match self.get(key) {
            Value::Text(span) => span,
            Value::Absent | Value::Positive(_) | Value::Negative(_) => Span::default(),
        }
    }
}

const _: () = assert!(Key::COUNT <= Fields::UNKNOWN as usize);
