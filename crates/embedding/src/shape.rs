//! What `config.json` and the pooling's files say of a model, checked against what is run.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use serde::Deserialize;

use crate::{
    error::{LoadError, Problem},
    files::{self, CONFIG_BYTES},
};

/// Bounds of what is run: a BERT of 24 layers and 1024 dimensions is the largest that was ever
/// common, and already too slow for most machines. They also keep products of sizes small.
const LAYERS_MAX: usize = 24;
const HIDDEN_MAX: usize = 1024;
const INTERMEDIATE_MAX: usize = 4096;
const VOCABULARY_MAX: usize = 300_000;
const POSITIONS_MAX: usize = 8192;

/// The sizes and kinds of a BERT.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Shape {
    #[serde(default)]
    model_type: String,
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    #[serde(rename = "num_hidden_layers")]
    pub(crate) layers: usize,
    #[serde(rename = "num_attention_heads")]
    pub(crate) heads: usize,
    #[serde(rename = "intermediate_size")]
    pub(crate) intermediate: usize,
    #[serde(rename = "max_position_embeddings")]
    pub(crate) positions: usize,
    #[serde(default = "two")]
    pub(crate) type_vocab_size: usize,
    #[serde(default = "small")]
    pub(crate) layer_norm_eps: f64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

// What BERT's configuration means where it does not say it.
fn two() -> usize {
    2
}
fn small() -> f64 {
    1e-12
}
fn gelu() -> String {
    "gelu".to_owned()
}
fn absolute() -> String {
    "absolute".to_owned()
}

/// The function between the two halves of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// By the error function.
    Gelu,
    /// By the hyperbolic tangent.
    GeluTanh,
    /// What is negative becomes zero.
    Relu,
}

/// How the vectors of a text's pieces become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// Their mean.
    Mean,
    /// The first one's, of the piece `[CLS]`.
    First,
}

impl Shape {
    /// Reads and checks `config.json`.
    pub(crate) fn read(path: &Path) -> Result<(Self, Activation), LoadError> {
        let shape: Self = files::json(path, CONFIG_BYTES)?;
        let activation =
            shape.check().map_err(|why| LoadError::new(path, Problem::Unsupported(why)))?;
        Ok((shape, activation))
    }

    fn check(&self) -> Result<Activation, String> {
        if self.model_type != "bert" {
            return Err(format!("model_type is {:?}, and must be \"bert\"", self.model_type));
        }
        if self.position_embedding_type != "absolute" {
            let kind = &self.position_embedding_type;
            return Err(format!("position_embedding_type is {kind:?}, and must be \"absolute\""));
        }
        for (name, size, most) in [
            ("vocab_size", self.vocab_size, VOCABULARY_MAX),
            ("hidden_size", self.hidden_size, HIDDEN_MAX),
            ("num_hidden_layers", self.layers, LAYERS_MAX),
            ("num_attention_heads", self.heads, self.hidden_size),
            ("intermediate_size", self.intermediate, INTERMEDIATE_MAX),
            ("max_position_embeddings", self.positions, POSITIONS_MAX),
            ("type_vocab_size", self.type_vocab_size, 16),
        ] {
            if size == 0 || size > most {
                return Err(format!("{name} is {size}, and must be from 1 to {most}"));
            }
        }
        if !self.hidden_size.is_multiple_of(self.heads) {
            let (hidden, heads) = (self.hidden_size, self.heads);
            return Err(format!("hidden_size {hidden} is no multiple of its {heads} heads"));
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err(format!("layer_norm_eps is {}", self.layer_norm_eps));
        }
        match self.hidden_act.as_str() {
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
            "relu" => Ok(Activation::Relu),
            other => Err(format!("hidden_act is {other:?}, and must be gelu, gelu_new or relu")),
        }
    }
}

/// One entry of `modules.json`.
#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The pooling's own file: `pooling_mode_…` is true for those that it uses.
#[derive(Debug, Deserialize)]
struct PoolingFile {
    word_embedding_dimension: usize,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

impl PoolingFile {
    fn modes(&self) -> Vec<&str> {
        let on = self.others.iter().filter(|(_, value)| value.as_bool() == Some(true));
        on.filter_map(|(key, _)| key.strip_prefix("pooling_mode_")).collect()
    }
}

/// How a model's directory says that it pools; by the mean where it says nothing.
///
/// A module that normalises changes nothing: every vector gets the length 1, since only angles are
/// compared.
pub(crate) fn pooling(directory: &Path, hidden_size: usize) -> Result<Pooling, LoadError> {
    let folder = pooling_folder(&directory.join("modules.json"))?;
    let path = directory.join(folder).join("config.json");
    let Some(file) = files::json_if_there::<PoolingFile>(&path, CONFIG_BYTES)? else {
        return Ok(Pooling::Mean);
    };
    if file.word_embedding_dimension != hidden_size {
        let found = file.word_embedding_dimension;
        let why = format!("word_embedding_dimension is {found}, but hidden_size is {hidden_size}");
        return Err(LoadError::new(&path, Problem::Mismatch(why)));
    }
    match file.modes()[..] {
        // The mean over the root of the length has the mean's direction.
        ["mean_tokens" | "mean_sqrt_len_tokens"] => Ok(Pooling::Mean),
        ["cls_token"] => Ok(Pooling::First),
        ref modes => {
            let modes = modes.join(", ");
            let why = format!("it pools by [{modes}], and must by mean_tokens or cls_token alone");
            Err(LoadError::new(&path, Problem::Unsupported(why)))
        }
    }
}

fn pooling_folder(path: &Path) -> Result<String, LoadError> {
    let usual = "1_Pooling".to_owned();
    let Some(modules) = files::json_if_there::<Vec<Module>>(path, CONFIG_BYTES)? else {
        return Ok(usual);
    };
    let mut folder = usual;
    for module in &modules {
        match module.kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" if module.path.is_empty() => {}
            "Normalize" => {}
            "Pooling" => folder.clone_from(&module.path),
            kind => {
                let why = format!("it has the module {kind} in {:?}", module.path);
                return Err(LoadError::new(path, Problem::Unsupported(why)));
            }
        }
    }
    // The file may not lead out of the model's directory.
    let mut parts = Path::new(&folder).components();
    let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    if plain {
        Ok(folder)
    } else {
        let why = format!("its pooling is in {folder:?}, and must be in a folder beside it");
        Err(LoadError::new(path, Problem::Unsupported(why)))
    }
}
