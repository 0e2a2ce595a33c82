import torch
from torch.func import functional_call

torch.manual_seed(62)
x = torch.randn(700, 6)
y = (x @ torch.tensor([2.0, -1.0, 0.5, 0.0, 1.0, -2.0]) + 0.7 + torch.randn(700) > 0).float()
x_train, y_train, x_test, y_test = x[:500], y[:500], x[500:], y[500:]
model = torch.nn.Linear(6, 1)
names = [name for name, _ in model.named_parameters()]
shapes = [p.shape for p in model.parameters()]


def loss_of(flat):
    pieces = flat.split([s.numel() for s in shapes])
    params = {n: p.view(s) for n, p, s in zip(names, pieces, shapes)}
    out = functional_call(model, params, (x_train,)).squeeze(1)
    return torch.nn.functional.binary_cross_entropy_with_logits(out, y_train) + 1e-3 * flat.pow(2).sum()


flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
for step in range(6):
    gradient = torch.autograd.functional.jacobian(loss_of, flat)
    hessian = torch.autograd.functional.hessian(loss_of, flat)
    flat = flat - torch.linalg.solve(hessian, gradient)
    print(f"step {step} loss {loss_of(flat).item():.6f}")

torch.nn.utils.vector_to_parameters(flat, model.parameters())
with torch.no_grad():
    print(f"result: {((model(x_test).squeeze(1) > 0).float() == y_test).float().mean().item():.4f}")
