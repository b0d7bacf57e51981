//! What is wrong with a model's directory is said by file, in words, with a remedy; nothing panics.

use std::{fs, path::Path};

use hanabi_embedding::{Encoder, LoadError};
use serde_json::json;

use crate::kit::{HIDDEN, Model, safetensors};

fn refused(directory: &Path) -> LoadError {
    let Err(error) = Encoder::load(directory) else { panic!("{} was loaded", directory.display()) };
    assert!(error.remedy().len() > 20);
    error
}

/// The text with the directory taken out.
fn text(model: &Model) -> String {
    let directory = model.write();
    let error = refused(directory.path());
    error.to_string().replace(&format!("{}/", directory.path().display()), "")
}

fn with(change: impl FnOnce(&mut Model)) -> String {
    let mut model = Model::tiny();
    change(&mut model);
    text(&model).strip_prefix("failed to load the model: ").unwrap().to_owned()
}

#[test]
fn configurations_that_are_not_run_are_refused() {
    let kind = "config.json describes what this matcher does not run: ";
    for (key, value, expected) in [
        ("model_type", json!("roberta"), "model_type is \"roberta\", and must be \"bert\""),
        (
            "position_embedding_type",
            json!("relative_key"),
            "position_embedding_type is \"relative_key\", and must be \"absolute\"",
        ),
        ("hidden_act", json!("silu"), "hidden_act is \"silu\", and must be gelu, gelu_new or relu"),
        ("hidden_size", json!(0), "hidden_size is 0, and must be from 1 to 1024"),
        ("num_hidden_layers", json!(99), "num_hidden_layers is 99, and must be from 1 to 24"),
        ("num_attention_heads", json!(5), "hidden_size 24 is no multiple of its 5 heads"),
        ("layer_norm_eps", json!(-1.0), "layer_norm_eps is -1"),
        (
            "vocab_size",
            json!(1_u64 << 60),
            "vocab_size is 1152921504606846976, and must be from 1 to 300000",
        ),
    ] {
        assert_eq!(with(|m| m.config[key] = value), format!("{kind}{expected}"));
    }
    assert_eq!(
        with(|m| m.config = json!({"model_type": "bert"})),
        "config.json is damaged: missing field `vocab_size` at line 1 column 21"
    );
    assert!(with(|m| m.config["hidden_size"] = json!(-1)).starts_with("config.json is damaged: "));
}

#[test]
fn poolings_are_checked() {
    for (change, expected) in [
        (
            json!({"word_embedding_dimension": 25, "pooling_mode_mean_tokens": true}),
            "1_Pooling/config.json does not fit config.json: word_embedding_dimension is 25, but \
             hidden_size is 24",
        ),
        (
            json!({"word_embedding_dimension": HIDDEN, "pooling_mode_max_tokens": true}),
            "1_Pooling/config.json describes what this matcher does not run: it pools by \
             [max_tokens], and must by mean_tokens or cls_token alone",
        ),
    ] {
        assert_eq!(with(|m| m.pooling = Some(change)), expected);
    }
    let module = |kind: &str, path: &str| json!([{"path": path, "type": format!("a.{kind}")}]);
    for (modules, expected) in [
        (
            module("Dense", "2_Dense"),
            "modules.json describes what this matcher does not run: it has the module Dense in \
             \"2_Dense\"",
        ),
        (
            module("Pooling", "../../etc"),
            "modules.json describes what this matcher does not run: its pooling is in \
             \"../../etc\", and must be in a folder beside it",
        ),
    ] {
        assert_eq!(with(|m| m.modules = Some(modules)), expected);
    }
}

#[test]
fn tokenizers_are_checked() {
    let kind = "tokenizer.json describes what this matcher does not run: ";
    assert_eq!(
        with(|m| m.tokenizer["model"]["type"] = json!("BPE")),
        format!("{kind}model is \"BPE\", and must be WordPiece")
    );
    assert_eq!(
        with(|m| m.tokenizer["normalizer"] = json!({"type": "Replace"})),
        format!("{kind}normalizer is \"Replace\", and must be BertNormalizer")
    );
    assert_eq!(
        with(|m| {
            let part = m.tokenizer["post_processor"]["single"][0].clone();
            m.tokenizer["post_processor"]["single"] = vec![part; 100].into();
        }),
        format!("{kind}100 parts around a text; at most 8 are taken")
    );
    assert_eq!(
        with(|m| m.tokenizer["model"]["vocab"]["further"] = json!(4_000_000_000_u32)),
        "tokenizer.json does not fit config.json: it has the piece 4000000000, but vocab_size is 16"
    );
    assert!(with(|m| m.tokenizer = json!([])).starts_with("tokenizer.json is damaged: "));
    let vocabulary = |m: &mut Model| m.tokenizer["model"]["vocab"] = json!("none");
    assert!(with(vocabulary).starts_with("tokenizer.json is damaged: "));
}

#[test]
fn weights_are_checked() {
    let name = "encoder.layer.1.output.dense.weight";
    let missing = with(|m| drop(m.weights.remove(name)));
    assert!(missing.starts_with("model.safetensors does not fit config.json: "), "{missing}");
    assert!(missing.contains(name), "{missing}");

    let shape = with(|m| m.config["intermediate_size"] = json!(41));
    assert!(shape.starts_with("model.safetensors does not fit config.json: "), "{shape}");
    assert!(shape.contains("[41, 24]") && shape.contains("[40, 24]"), "{shape}");

    let directory = Model::tiny().write();
    let path = directory.path().join("model.safetensors");
    let half = safetensors(&Model::tiny().weights);
    fs::write(&path, &half[..half.len() / 2]).unwrap();
    let cut = refused(directory.path()).to_string();
    assert!(cut.contains("model.safetensors is damaged: "), "{cut}");

    for value in [f32::NAN, f32::INFINITY] {
        let broken = with(|m| m.weights.values_mut().for_each(|(_, v)| v.fill(value)));
        assert_eq!(
            broken,
            "model.safetensors is damaged: its weights give no vector with a direction"
        );
    }
}

#[test]
fn files_are_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let directory = Model::tiny().write();
        let path = directory.path().join(file);
        fs::remove_file(&path).unwrap();
        let text = refused(directory.path()).to_string();
        assert_eq!(text, format!("failed to load the model: {} does not exist", path.display()));
        fs::create_dir(&path).unwrap();
        let text = refused(directory.path()).to_string();
        assert!(text.ends_with(&format!("{file} is no regular file")), "{text}");
    }
    let directory = Model::tiny().write();
    let config = directory.path().join("config.json");
    fs::write(&config, vec![b' '; (1 << 20) + 1]).unwrap();
    let text = refused(directory.path()).to_string();
    assert!(text.ends_with("is 1048577 bytes long; at most 1048576 are read"), "{text}");
}

#[test]
fn nothing_panics_on_damaged_files() {
    let model = Model::tiny();
    let mut state = 11_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for (file, original) in [
        ("config.json", model.config.to_string().into_bytes()),
        ("1_Pooling/config.json", model.pooling.as_ref().unwrap().to_string().into_bytes()),
        ("modules.json", model.modules.as_ref().unwrap().to_string().into_bytes()),
        ("tokenizer.json", model.tokenizer.to_string().into_bytes()),
        ("model.safetensors", safetensors(&model.weights)),
    ] {
        let directory = model.write();
        for round in 0..60 {
            let mut bytes = original.clone();
            // The header of the weights is in their first bytes.
            let reach = if round % 2 == 0 { bytes.len() } else { bytes.len().min(2000) };
            if round % 3 == 0 {
                bytes.truncate(next(reach));
            } else {
                (0..=next(4)).for_each(|_| bytes[next(reach)] = next(256) as u8);
            }
            fs::write(directory.path().join(file), bytes).unwrap();
            if let Ok(encoder) = Encoder::load(directory.path()) {
                encoder.encode("daily orders").ok();
            }
        }
    }
}
