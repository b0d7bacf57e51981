//! A sentence transformer: text in, vector of length 1 out.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::{
    bert::Bert,
    error::{LoadError, Problem},
    files::{self, WEIGHTS_BYTES},
    shape::{self, Pooling, Shape},
    vocabulary::Vocabulary,
};

/// Word pieces of one text that are read, those around it included; what is longer is cut. A file
/// name has five to fifteen, and the time for one grows with their number: 32 take about 20 ms with a
/// model of 6 layers and 384 dimensions.
pub const PIECES_MAX: usize = 32;

/// Texts that a model must be able to read: words, and what is in no vocabulary.
const PROBES: [&str; 2] = ["daily orders", "\u{a66e}"];

/// A model, loaded and tried.
pub struct Encoder {
    vocabulary: Vocabulary,
    bert: Bert,
    pooling: Pooling,
    hidden_size: usize,
}

/// A text that the model could not read. A model that was loaded reads every text, as far as is
/// known; this is there so that a defect of a file costs one comparison and not the service.
#[derive(Debug, thiserror::Error)]
#[error("the model could not read a text: {0}")]
pub struct EncodeError(String);

impl Encoder {
    /// Loads the model in `directory`: `config.json`, `tokenizer.json`, `model.safetensors`, and
    /// `modules.json` with the pooling's `config.json` where they are there.
    ///
    /// It takes as long as reading the weights twice, and their size in memory (twice while it
    /// lasts). Every error names the file at fault; none of them panics, whatever the files hold.
    pub fn load(directory: &Path) -> Result<Self, LoadError> {
        let (shape, activation) = Shape::read(&directory.join("config.json"))?;
        let pooling = shape::pooling(directory, shape.hidden_size)?;
        let pieces_max = PIECES_MAX.min(shape.positions);
        let vocabulary =
            Vocabulary::read(&directory.join("tokenizer.json"), shape.vocab_size, pieces_max)?;
        let path = directory.join("model.safetensors");
        let fail = |problem| LoadError::new(&path, problem);
        let bytes = files::read(&path, WEIGHTS_BYTES)?;
        let weights = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)
            .map_err(|error| fail(Problem::Damaged(plain(&error))))?;
        let bert = Bert::load(weights, &shape, activation)
            .map_err(|error| fail(Problem::Mismatch(plain(&error))))?;
        let encoder = Self { vocabulary, bert, pooling, hidden_size: shape.hidden_size };
        for probe in PROBES {
            encoder.encode(probe).map_err(|EncodeError(why)| fail(Problem::Damaged(why)))?;
        }
        Ok(encoder)
    }

    /// How many numbers a vector has.
    pub fn dimension(&self) -> usize {
        self.hidden_size
    }

    /// The vector of a text, of length 1: the product of two is the cosine of their angle.
    ///
    /// Some milliseconds with a model of 6 layers and 384 dimensions; it depends on nothing but the
    /// text. Texts beyond [`PIECES_MAX`] pieces are cut.
    pub fn encode(&self, text: &str) -> Result<Vec<f32>, EncodeError> {
        let pieces = self.vocabulary.pieces(text).map_err(EncodeError)?;
        let vectors = self.bert.forward(&pieces).and_then(|all| pooled(&all, self.pooling));
        let mut vector = vectors.map_err(|error| EncodeError(plain(&error)))?;
        // In 64 bits, the squares of any finite weights are finite.
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length < f64::from(f32::MIN_POSITIVE) {
            return Err(EncodeError("its weights give no vector with a direction".to_owned()));
        }
        for x in &mut vector {
            *x = (f64::from(*x) / length) as f32;
        }
        Ok(vector)
    }
}

fn pooled(all: &Tensor, pooling: Pooling) -> candle_core::Result<Vec<f32>> {
    match pooling {
        Pooling::Mean => all.mean(0)?.to_vec1(),
        Pooling::First => all.get(0)?.to_vec1(),
    }
}

/// The first line: a stack trace may follow.
fn plain(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
