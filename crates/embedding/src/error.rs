//! Why a model cannot be used: which file, what is wrong with it, what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A model's directory that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to load the model: {} {problem}", path.display())]
pub struct LoadError {
    /// The file at fault.
    pub path: PathBuf,
    /// What is wrong with it; the message has it, so it is no source.
    pub problem: Problem,
}

/// What is wrong with a model's file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("does not exist")]
    Missing,
    /// It is a directory, a pipe or a device.
    #[error("is no regular file")]
    NotAFile,
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// It is larger than any model that is fast enough, in bytes.
    #[error("is {bytes} bytes long; at most {limit} are read")]
    TooLarge {
        /// Its size, or the least that it is.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// Its format is broken.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// It is well formed, but of a kind that this matcher does not run.
    #[error("describes what this matcher does not run: {0}")]
    Unsupported(String),
    /// It does not agree with `config.json`.
    #[error("does not fit config.json: {0}")]
    Mismatch(String),
}

impl LoadError {
    pub(crate) fn new(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_path_buf(), problem }
    }

    /// What a person can do about it.
    pub fn remedy(&self) -> &'static str {
        match &self.problem {
            Problem::Missing | Problem::NotAFile => {
                "name the directory of a BERT-type sentence transformer in detect.embedding_dir; it \
                 holds config.json, tokenizer.json and model.safetensors"
            }
            Problem::Unreadable(_) => {
                "let the user that hanabi runs as read the model's files, or name another directory \
                 in detect.embedding_dir"
            }
            Problem::TooLarge { .. } => {
                "use a smaller model in detect.embedding_dir, such as one of 6 layers and 384 \
                 dimensions"
            }
            Problem::Damaged(_) => {
                "copy the model's files anew from where they came from, and compare their checksums"
            }
            Problem::Unsupported(_) => {
                "use a BERT-type sentence transformer with a WordPiece tokenizer and mean or CLS \
                 pooling (its config.json says model_type bert)"
            }
            Problem::Mismatch(_) => {
                "the files seem to come from different models: copy all of them from one"
            }
        }
    }
}
