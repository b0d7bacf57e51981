//! REST, server-sent events and the first page.
#![forbid(unsafe_code)]
