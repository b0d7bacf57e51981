//! BERT's encoder over one text.
//!
//! Texts go through it one at a time: there is nothing to pad and to mask, and a vector cannot
//! depend on what else was in a batch.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::{
    LayerNorm, Linear, Module as _, VarBuilder, layer_norm, linear, ops::softmax_last_dim,
};

use crate::shape::{Activation, Shape};

/// The weights, ready to be run.
pub(crate) struct Bert {
    pieces: Tensor,
    /// With the type of the first sentence added, which is the only one that a single text has.
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Takes a copy of the weights. Fails when a tensor is missing, or when one is not of the shape
    /// that `shape` says.
    pub(crate) fn load(
        weights: VarBuilder<'_>,
        shape: &Shape,
        activation: Activation,
    ) -> Result<Self> {
        // Models with a head on top keep the encoder under its name.
        let weights = if weights.contains_tensor("bert.embeddings.word_embeddings.weight") {
            weights.pp("bert")
        } else {
            weights
        };
        let at = weights.pp("embeddings");
        let hidden = shape.hidden_size;
        let table = |rows: usize, name: &str| at.pp(name).get((rows, hidden), "weight");
        let types = table(shape.type_vocab_size, "token_type_embeddings")?;
        let positions = table(shape.positions, "position_embeddings")?;
        let layers = weights.pp("encoder").pp("layer");
        Ok(Self {
            pieces: table(shape.vocab_size, "word_embeddings")?,
            positions: positions.broadcast_add(&types.get(0)?)?,
            norm: layer_norm(hidden, shape.layer_norm_eps, at.pp("LayerNorm"))?,
            layers: (0..shape.layers)
                .map(|index| Layer::load(&layers.pp(index), shape, activation))
                .collect::<Result<_>>()?,
        })
    }

    /// A vector for each piece: pieces × hidden. Fails on a piece beyond the vocabulary and on more
    /// pieces than positions.
    pub(crate) fn forward(&self, pieces: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(pieces, &Device::Cpu)?;
        let embedded = self.pieces.index_select(&ids, 0)?;
        let embedded = (embedded + self.positions.narrow(0, 0, pieces.len())?)?;
        let first = self.norm.forward(&embedded)?;
        self.layers.iter().try_fold(first, |hidden, layer| layer.forward(&hidden))
    }
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
    heads: usize,
    activation: Activation,
}

impl Layer {
    fn load(weights: &VarBuilder<'_>, shape: &Shape, activation: Activation) -> Result<Self> {
        let (hidden, wide, eps) = (shape.hidden_size, shape.intermediate, shape.layer_norm_eps);
        let attention = weights.pp("attention");
        let own = attention.pp("self");
        let (attended, output) = (attention.pp("output"), weights.pp("output"));
        Ok(Self {
            query: linear(hidden, hidden, own.pp("query"))?,
            key: linear(hidden, hidden, own.pp("key"))?,
            value: linear(hidden, hidden, own.pp("value"))?,
            attended: linear(hidden, hidden, attended.pp("dense"))?,
            attended_norm: layer_norm(hidden, eps, attended.pp("LayerNorm"))?,
            up: linear(hidden, wide, weights.pp("intermediate").pp("dense"))?,
            down: linear(wide, hidden, output.pp("dense"))?,
            norm: layer_norm(hidden, eps, output.pp("LayerNorm"))?,
            heads: shape.heads,
            activation,
        })
    }

    fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let attended = self.attended.forward(&self.attend(hidden)?)?;
        let attended = self.attended_norm.forward(&(attended + hidden)?)?;
        let wide = self.up.forward(&attended)?;
        let wide = match self.activation {
            Activation::Gelu => wide.gelu_erf()?,
            Activation::GeluTanh => wide.gelu()?,
            Activation::Relu => wide.relu()?,
        };
        self.norm.forward(&(self.down.forward(&wide)? + attended)?)
    }

    fn attend(&self, hidden: &Tensor) -> Result<Tensor> {
        let (pieces, size) = hidden.dims2()?;
        let width = size / self.heads;
        // heads × pieces × width
        let split = |linear: &Linear| {
            let all = linear.forward(hidden)?.reshape((pieces, self.heads, width))?;
            all.transpose(0, 1)?.contiguous()
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let scale = 1.0 / (width as f64).sqrt();
        let scores = (query.matmul(&key.transpose(D::Minus2, D::Minus1)?.contiguous()?)? * scale)?;
        let mixed = softmax_last_dim(&scores)?.matmul(&value)?;
        mixed.transpose(0, 1)?.contiguous()?.reshape((pieces, size))
    }
}
