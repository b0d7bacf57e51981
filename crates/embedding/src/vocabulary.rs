//! The tokenizer: a text's word pieces, as numbers below the vocabulary's size.
//!
//! Only what BERT's own tokenizers are made of is accepted. Every other part of the file format
//! (regular expressions, replacements) could make a small text large, or take long.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use serde::Deserialize;
use tokenizers::{Tokenizer, TruncationParams};

use crate::{
    error::{LoadError, Problem},
    files::{self, TOKENIZER_BYTES},
};

/// BERT puts two pieces around a text; more than a few would be the text.
const AROUND_MAX: usize = 8;

/// The parts of `tokenizer.json`, by name.
#[derive(Debug, Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Option<Part>,
    #[serde(default)]
    pre_tokenizer: Option<Part>,
    #[serde(default)]
    post_processor: Option<Part>,
    model: Part,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    /// What a template puts around one text.
    #[serde(default)]
    single: Vec<serde::de::IgnoredAny>,
}

/// A tokenizer that fits its model.
pub(crate) struct Vocabulary {
    tokenizer: Tokenizer,
    size: usize,
    pieces_max: usize,
}

impl Vocabulary {
    /// Reads `tokenizer.json` for a model of `size` pieces; texts are cut after `pieces_max`.
    pub(crate) fn read(path: &Path, size: usize, pieces_max: usize) -> Result<Self, LoadError> {
        let fail = |problem| LoadError::new(path, problem);
        let bytes = files::read(path, TOKENIZER_BYTES)?;
        let parts: Parts = serde_json::from_slice(&bytes)
            .map_err(|error| fail(Problem::Damaged(error.to_string())))?;
        parts.check().map_err(|why| fail(Problem::Unsupported(why)))?;
        let mut tokenizer =
            guarded(|| Tokenizer::from_bytes(&bytes)).map_err(|why| fail(Problem::Damaged(why)))?;
        let last = tokenizer.get_vocab(true).into_values().max().unwrap_or_default();
        if last as usize >= size {
            let why = format!("it has the piece {last}, but vocab_size is {size}");
            return Err(fail(Problem::Mismatch(why)));
        }
        tokenizer.with_padding(None);
        // A file name may look like a special piece, and is a word all the same.
        tokenizer.set_encode_special_tokens(true);
        let cut = TruncationParams { max_length: pieces_max, ..TruncationParams::default() };
        guarded(|| tokenizer.with_truncation(Some(cut)).map(|_| ()))
            .map_err(|why| fail(Problem::Damaged(why)))?;
        Ok(Self { tokenizer, size, pieces_max })
    }

    /// The pieces of a text with what is put around it.
    pub(crate) fn pieces(&self, text: &str) -> Result<Vec<u32>, String> {
        let pieces = guarded(|| self.tokenizer.encode_fast(text, true))?.get_ids().to_vec();
        if pieces.is_empty() || pieces.len() > self.pieces_max {
            return Err(format!("{} pieces", pieces.len()));
        }
        match pieces.iter().find(|piece| **piece as usize >= self.size) {
            Some(piece) => Err(format!("the piece {piece} is beyond the vocabulary")),
            None => Ok(pieces),
        }
    }
}

impl Parts {
    fn check(&self) -> Result<(), String> {
        let kind = |part: &Option<Part>| part.as_ref().map(|part| part.kind.clone());
        for (name, found, known) in [
            ("model", Some(self.model.kind.clone()), &["WordPiece"][..]),
            ("normalizer", kind(&self.normalizer), &["BertNormalizer"]),
            ("pre_tokenizer", kind(&self.pre_tokenizer), &["BertPreTokenizer", "Whitespace"]),
            (
                "post_processor",
                kind(&self.post_processor),
                &["TemplateProcessing", "BertProcessing"],
            ),
        ] {
            if let Some(found) = found.filter(|found| !known.contains(&found.as_str())) {
                return Err(format!("{name} is {found:?}, and must be {}", known.join(" or ")));
            }
        }
        let around = self.post_processor.as_ref().map_or(0, |part| part.single.len());
        if around > AROUND_MAX {
            return Err(format!("{around} parts around a text; at most {AROUND_MAX} are taken"));
        }
        Ok(())
    }
}

/// The tokenizer library asserts some of what its files promise. A file that does not keep it must
/// be refused, and must not end the engine.
fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the tokenizer library gave up on it".to_owned()),
    }
}
