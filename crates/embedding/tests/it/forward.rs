//! Vectors against a BERT written in plain loops from its description, in 64 bits.

use hanabi_embedding::Encoder;

use crate::kit::{EPSILON, HEADS, HIDDEN, LAYERS, Model, VOCABULARY, Weights, pooling};

type Matrix = Vec<Vec<f64>>;

/// Texts and their pieces, `[CLS]` and `[SEP]` left out.
const TEXTS: [(&str, &[&str]); 5] = [
    ("orders", &["orders"]),
    ("daily Orders backup", &["daily", "orders", "backup"]),
    ("catalog dogs", &["cat", "##alog", "dog", "##s"]),
    ("unknown", &["[UNK]"]),
    ("[SEP]", &["[UNK]", "[UNK]", "[UNK]"]),
];

#[test]
fn vectors_equal_a_plain_computation() {
    for (activation, first) in
        [("gelu", false), ("gelu", true), ("relu", false), ("gelu_new", false)]
    {
        let mut model = Model::tiny();
        model.config["hidden_act"] = activation.into();
        model.pooling = Some(pooling(first));
        let directory = model.write();
        let encoder = Encoder::load(directory.path()).unwrap();
        assert_eq!(encoder.dimension(), HIDDEN);
        for (text, pieces) in TEXTS {
            let vector = encoder.encode(text).unwrap();
            let expected = plain(&model.weights, pieces, activation, first);
            for (a, b) in vector.iter().zip(&expected) {
                assert!((f64::from(*a) - b).abs() < 1e-4, "{activation} {text}: {a} {b}");
            }
        }
    }
}

#[test]
fn vectors_have_length_one() {
    for modules in [Model::tiny().modules, None] {
        let directory = Model { modules, ..Model::tiny() }.write();
        let encoder = Encoder::load(directory.path()).unwrap();
        for (text, _) in TEXTS {
            let vector = encoder.encode(text).unwrap();
            let length: f64 = vector.iter().map(|x| f64::from(*x).powi(2)).sum();
            assert!((length - 1.0).abs() < 1e-6, "{text}");
        }
    }
}

#[test]
fn long_texts_are_cut() {
    let directory = Model::tiny().write();
    let encoder = Encoder::load(directory.path()).unwrap();
    let (cut, longer) = ("dog ".repeat(30), "dog ".repeat(31) + "cat");
    assert_eq!(encoder.encode(&cut).unwrap(), encoder.encode(&longer).unwrap());
    assert_ne!(encoder.encode(&cut).unwrap(), encoder.encode(&"dog ".repeat(29)).unwrap());
}

#[test]
fn weights_under_a_head_are_read() {
    let plain = Encoder::load(Model::tiny().write().path()).unwrap();
    let mut model = Model::tiny();
    model.weights =
        model.weights.into_iter().map(|(name, w)| (format!("bert.{name}"), w)).collect();
    let headed = Encoder::load(model.write().path()).unwrap();
    assert_eq!(plain.encode("orders").unwrap(), headed.encode("orders").unwrap());
}

fn plain(weights: &Weights, pieces: &[&str], activation: &str, first: bool) -> Vec<f64> {
    let table = |name: &str| matrix(weights, &format!("embeddings.{name}_embeddings.weight"));
    let (words, positions, types) = (table("word"), table("position"), table("token_type"));
    let ids = ["[CLS]"].into_iter().chain(pieces.iter().copied()).chain(["[SEP]"]);
    let mut hidden: Matrix = ids
        .enumerate()
        .map(|(at, piece)| {
            let id = VOCABULARY.iter().position(|known| *known == piece).unwrap();
            (0..HIDDEN).map(|i| words[id][i] + positions[at][i] + types[0][i]).collect()
        })
        .collect();
    normalise(weights, "embeddings.LayerNorm", &mut hidden);
    for layer in 0..LAYERS {
        hidden = encode(weights, &format!("encoder.layer.{layer}"), &hidden, activation);
    }
    let pooled: Vec<f64> = if first {
        hidden[0].clone()
    } else {
        let count = hidden.len() as f64;
        (0..HIDDEN).map(|i| hidden.iter().map(|row| row[i]).sum::<f64>() / count).collect()
    };
    let length = pooled.iter().map(|x| x * x).sum::<f64>().sqrt();
    pooled.iter().map(|x| x / length).collect()
}

fn encode(weights: &Weights, layer: &str, hidden: &Matrix, activation: &str) -> Matrix {
    let of = |name: &str, input: &Matrix| linear(weights, &format!("{layer}.{name}"), input);
    let (query, key, value) = (
        of("attention.self.query", hidden),
        of("attention.self.key", hidden),
        of("attention.self.value", hidden),
    );
    let width = HIDDEN / HEADS;
    let mut mixed = vec![vec![0.0; HIDDEN]; hidden.len()];
    for head in 0..HEADS {
        let span = head * width..(head + 1) * width;
        for (row, asked) in query.iter().enumerate() {
            let scores: Vec<f64> = key
                .iter()
                .map(|k| span.clone().map(|i| asked[i] * k[i]).sum::<f64>() / (width as f64).sqrt())
                .map(f64::exp)
                .collect();
            let total: f64 = scores.iter().sum();
            for i in span.clone() {
                mixed[row][i] = scores.iter().zip(&value).map(|(s, v)| s / total * v[i]).sum();
            }
        }
    }
    let mut attended = sum(&of("attention.output.dense", &mixed), hidden);
    normalise(weights, &format!("{layer}.attention.output.LayerNorm"), &mut attended);
    let mut wide = of("intermediate.dense", &attended);
    wide.iter_mut().flatten().for_each(|x| *x = activate(activation, *x));
    let mut out = sum(&of("output.dense", &wide), &attended);
    normalise(weights, &format!("{layer}.output.LayerNorm"), &mut out);
    out
}

fn matrix(weights: &Weights, name: &str) -> Matrix {
    let (shape, values) = &weights[name];
    values
        .chunks(*shape.last().unwrap())
        .map(|r| r.iter().map(|v| f64::from(*v)).collect())
        .collect()
}

fn linear(weights: &Weights, name: &str, input: &Matrix) -> Matrix {
    let by = matrix(weights, &format!("{name}.weight"));
    let bias = &matrix(weights, &format!("{name}.bias"))[0];
    let row = |x: &Vec<f64>| {
        by.iter()
            .zip(bias)
            .map(|(w, b)| b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
            .collect()
    };
    input.iter().map(row).collect()
}

fn sum(a: &Matrix, b: &Matrix) -> Matrix {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

fn normalise(weights: &Weights, name: &str, rows: &mut Matrix) {
    let scale = &matrix(weights, &format!("{name}.weight"))[0];
    let shift = &matrix(weights, &format!("{name}.bias"))[0];
    for row in rows {
        let count = row.len() as f64;
        let mean = row.iter().sum::<f64>() / count;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        for (i, x) in row.iter_mut().enumerate() {
            *x = (*x - mean) / (variance + EPSILON).sqrt() * scale[i] + shift[i];
        }
    }
}

fn activate(name: &str, x: f64) -> f64 {
    match name {
        "relu" => x.max(0.0),
        "gelu" => x / 2.0 * (1.0 + error_function(x / std::f64::consts::SQRT_2)),
        _ => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            x / 2.0 * (1.0 + inner.tanh())
        }
    }
}

/// By Simpson's rule over its integral.
fn error_function(x: f64) -> f64 {
    const STEPS: usize = 200;
    let step = x / STEPS as f64;
    let at = |i: usize| (-(step * i as f64).powi(2)).exp();
    let inner: f64 = (1..STEPS).map(|i| at(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    (at(0) + inner + at(STEPS)) * step / 3.0 * 2.0 / std::f64::consts::PI.sqrt()
}
