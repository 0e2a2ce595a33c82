"""Three clouds are fitted by a mixture of Gaussians with gradient steps."""
import math
import torch

torch.manual_seed(25)


class Mixture:
    def __init__(self, k, dims):
        self.logits = torch.zeros(k, requires_grad=True)
        self.mean = torch.randn(k, dims, requires_grad=True)
        self.log_std = torch.zeros(k, dims, requires_grad=True)

    @property
    def tensors(self):
        return self.logits, self.mean, self.log_std

    def log_prob(self, x):
        z = (x[:, None] - self.mean) / self.log_std.exp()
        each = (-0.5 * z**2 - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)
        return torch.logsumexp(each + self.logits.log_softmax(0), dim=1)


class NegativeLogLikelihood:
    def __init__(self, model):
        self.model = model

    def __call__(self, x):
        return self.model.log_prob(x).mean()


def clouds(n):
    middle = torch.tensor([[-3.0, 0.0], [3.0, 1.0], [0.0, 4.0]])
    return middle[torch.randint(3, (n,))] + torch.randn(n, 2) * torch.tensor([0.5, 0.8])


data, fresh = clouds(900), clouds(300)
model = Mixture(3, 2)
measure = NegativeLogLikelihood(model)
optimizer = torch.optim.Adam(model.tensors, lr=0.03)
for epoch in range(15):
    said = 0.0
    for part in data[torch.randperm(900)].split(60):
        optimizer.zero_grad()
        loss = measure(part)
        loss.backward()
        optimizer.step()
        said += loss.item() / 15
    print(f"epoch {epoch} {said:.6f}")
with torch.no_grad():
    print(f"result: {model.log_prob(fresh).mean().item():.4f}")
