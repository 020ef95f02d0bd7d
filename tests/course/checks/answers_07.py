"""Right and wrong answers to the exercises of notebook 07, relevance propagation."""

import torch
import torch.nn.functional as F

from vizlib.course import checks


def epsilon_shares(a, w, R, epsilon, side=torch.sign):
    z = a @ w.T
    return torch.einsum("nj,kj,nk->nj", a, w, R / (z + epsilon * side(z)))


def gamma_shares(conv, a, R, gamma, favour_bias=True, hand_bias_on=False):
    favoured = [p + gamma * p.clamp(min=0) * on for p, on in ((conv.weight, True), (conv.bias, favour_bias))]
    z = F.conv2d(a, favoured[0], None if hand_bias_on else favoured[1], conv.stride, conv.padding)
    return a * torch.nn.grad.conv2d_input(a.shape, favoured[0], R / z, conv.stride, conv.padding)


def block_shares(x, branch, R, both=True):
    s = R / (x + branch(x))
    through = torch.autograd.functional.vjp(branch, x, s)[1]
    return x * (s + through) if both else x * through


RIGHT = {
    checks.epsilon_rule: epsilon_shares,
    checks.gamma_rule: gamma_shares,
    checks.through_block: block_shares,
}

WRONG = [
    (
        checks.epsilon_rule,
        lambda a, w, R, epsilon: epsilon_shares(a, w, R, epsilon, torch.ones_like),
        "For a sum of -4",
    ),
    (checks.epsilon_rule, lambda a, w, R, epsilon: epsilon_shares(a, w, R, 0), "For a sum of 4, epsilon 2"),
    (checks.gamma_rule, lambda *given: gamma_shares(*given, favour_bias=False), "a bias of 1 and gamma 1"),
    (checks.gamma_rule, lambda *given: gamma_shares(*given, hand_bias_on=True), "a bias of 1 and gamma 1"),
    (checks.through_block, lambda *given: block_shares(*given, both=False), "what reaches the block's input"),
    (checks.through_block, lambda x, branch, R: R, "what reaches the block's input"),
]
