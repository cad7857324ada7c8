"""The loss without logits is the loss with them: value and every gradient, whatever is capped, ignored or missing."""

import pytest
import torch
from model_examples import Asked, miniature, picture

from florenz.train.model import florenz as florenz_file
from florenz.train.model import loss as loss_file
from florenz.train.model.loss import chunked_cross_entropy


@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("num_tokens", [1, 63, 64, 65, 2_000])
def test_it_is_plain_cross_entropy(cap: float | None, num_tokens: int) -> None:
    torch.manual_seed(0)
    labels = torch.randint(0, 97, (num_tokens,))
    found = []
    for is_chunked in (False, True):
        torch.manual_seed(1)
        hidden = torch.randn(num_tokens, 8, requires_grad=True)
        weight = torch.randn(97, 8, requires_grad=True)
        if is_chunked:
            loss = chunked_cross_entropy(hidden, weight, labels, cap=cap)
        else:
            logits = hidden @ weight.T
            logits = logits if cap is None else torch.tanh(logits / cap) * cap
            loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        found.append((loss.detach(), hidden.grad, weight.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_no_target_gives_a_loss_of_nothing_and_a_gradient() -> None:
    hidden = torch.randn(0, 8, requires_grad=True)
    loss = chunked_cross_entropy(hidden, torch.randn(9, 8, requires_grad=True), torch.zeros(0).long(), cap=None)
    loss.backward()
    assert float(loss) == 0.0 and hidden.grad is not None


def test_no_more_than_a_sixteenth_of_the_logits_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    whole = loss_file._summed

    def noted(hidden: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        sizes.append(len(hidden))
        return whole(hidden, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(loss_file, "_summed", noted)
    chunked_cross_entropy(torch.randn(4096, 2), torch.randn(5, 2), torch.zeros(4096).long(), cap=None)
    assert sizes == [256] * 16


@pytest.mark.parametrize("decoder", ["florence", "gemma"])
def test_a_model_trains_on_the_same_loss_without_logits(decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With labels that are left out, as those of a given prefix are."""
    model, processor = miniature(decoder)
    texts = [Asked(picture_CHW=picture(1)), Asked(picture_CHW=picture(2), text="Ein sehr langes rotes Auto steht.")]
    batch = processor.collate(texts, learn_prefix=False)
    found = []
    model.train()  # neither decoder drops anything in the miniature
    for least in (10**9, 1):
        monkeypatch.setattr(florenz_file, "LARGE_VOCABULARY", least)
        model.zero_grad()
        output = model(**batch)
        output.loss.backward()
        gradients = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
        found.append((output, gradients))
    (plain, its), (chunked, own) = found
    assert plain.logits is not None and chunked.logits is None
    assert float(chunked.loss) == pytest.approx(float(plain.loss), rel=1e-5)
    assert own.keys() == its.keys()
    for name, gradient in its.items():
        torch.testing.assert_close(own[name], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max() + 1))
    model.eval()
    assert model(**batch).logits is not None  # validation and scoring look at them
