//! A tiny BERT with random weights, in the files of a sentence transformer.

use std::{collections::BTreeMap, fs, path::Path};

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const HIDDEN: usize = 24;
pub(crate) const HEADS: usize = 3;
pub(crate) const LAYERS: usize = 2;
pub(crate) const WIDE: usize = 40;
pub(crate) const POSITIONS: usize = 32;
pub(crate) const EPSILON: f64 = 1e-12;

pub(crate) const VOCABULARY: [&str; 16] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "orders", "invoices", "backup", "archive", "daily", "s",
    "##s", "cat", "dog", "##alog", "o", "##x",
];

/// Weights by name, in the layout of safetensors: shape and values.
pub(crate) type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// What a model's directory is written from.
pub(crate) struct Model {
    pub(crate) config: Value,
    pub(crate) tokenizer: Value,
    pub(crate) weights: Weights,
    pub(crate) pooling: Option<Value>,
    pub(crate) modules: Option<Value>,
}

impl Model {
    /// A sound model.
    pub(crate) fn tiny() -> Self {
        Self {
            config: config(HIDDEN, WIDE),
            tokenizer: tokenizer(),
            weights: weights(HIDDEN, WIDE),
            pooling: Some(pooling(false)),
            modules: Some(modules()),
        }
    }

    /// One so wide that its products are split over threads.
    pub(crate) fn wide() -> Self {
        let (hidden, wide) = (384, 1536);
        Self {
            config: config(hidden, wide),
            weights: weights(hidden, wide),
            pooling: None,
            ..Self::tiny()
        }
    }

    /// Writes it.
    pub(crate) fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        json_file(&at.join("config.json"), &self.config);
        json_file(&at.join("tokenizer.json"), &self.tokenizer);
        fs::write(at.join("model.safetensors"), safetensors(&self.weights)).unwrap();
        if let Some(pooling) = &self.pooling {
            fs::create_dir(at.join("1_Pooling")).unwrap();
            json_file(&at.join("1_Pooling/config.json"), pooling);
        }
        if let Some(modules) = &self.modules {
            json_file(&at.join("modules.json"), modules);
        }
        directory
    }
}

fn json_file(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).unwrap();
}

fn config(hidden: usize, wide: usize) -> Value {
    json!({
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": hidden, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "intermediate_size": wide, "max_position_embeddings": POSITIONS, "type_vocab_size": 2,
        "vocab_size": VOCABULARY.len(), "layer_norm_eps": EPSILON, "pad_token_id": 0,
        "position_embedding_type": "absolute",
    })
}

pub(crate) fn pooling(first: bool) -> Value {
    json!({
        "word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": first,
        "pooling_mode_mean_tokens": !first, "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false,
    })
}

fn modules() -> Value {
    json!([
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ])
}

fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<String, Value> =
        VOCABULARY.iter().enumerate().map(|(id, piece)| ((*piece).to_owned(), id.into())).collect();
    let special = |id: usize| {
        json!({"id": id, "content": VOCABULARY[id], "special": true, "single_word": false,
               "lstrip": false, "rstrip": false, "normalized": false})
    };
    json!({
        "version": "1.0",
        "truncation": {"max_length": 8, "strategy": "LongestFirst", "stride": 0},
        // A fixed padding, as published models have it, must not reach the vectors.
        "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [special(0), special(1), special(2), special(3)],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
}

/// Random weights, always the same (xorshift).
fn weights(hidden: usize, wide: usize) -> Weights {
    let mut state = 7_u64;
    let mut values = |count: usize, centre: f32, spread: f32| -> Vec<f32> {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..count).map(|_| centre + spread * next()).collect()
    };
    let mut all = Weights::new();
    let mut put = |name: String, shape: &[usize], centre: f32, spread: f32| {
        let count = shape.iter().product();
        all.insert(name, (shape.to_vec(), values(count, centre, spread)));
    };
    for (table, rows) in [("word", VOCABULARY.len()), ("position", POSITIONS), ("token_type", 2)] {
        put(format!("embeddings.{table}_embeddings.weight"), &[rows, hidden], 0.0, 1.0);
    }
    put("embeddings.LayerNorm.weight".into(), &[hidden], 1.0, 0.2);
    put("embeddings.LayerNorm.bias".into(), &[hidden], 0.0, 0.2);
    for layer in 0..LAYERS {
        for (name, out, input) in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", wide, hidden),
            ("output.dense", hidden, wide),
        ] {
            put(
                format!("encoder.layer.{layer}.{name}.weight"),
                &[out, input],
                0.0,
                2.0 / (input as f32).sqrt(),
            );
            put(format!("encoder.layer.{layer}.{name}.bias"), &[out], 0.0, 0.2);
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            put(format!("encoder.layer.{layer}.{name}.weight"), &[hidden], 1.0, 0.2);
            put(format!("encoder.layer.{layer}.{name}.bias"), &[hidden], 0.0, 0.2);
        }
    }
    all
}

pub(crate) fn safetensors(weights: &Weights) -> Vec<u8> {
    let bytes: BTreeMap<&String, Vec<u8>> = weights
        .iter()
        .map(|(name, (_, values))| (name, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = weights.iter().map(|(name, (shape, _))| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}
