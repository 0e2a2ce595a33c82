import torch
import torch.nn as nn


class MaskedMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift = nn.Linear(3, 32)
        self.mix = nn.Linear(32, 32)
        self.out = nn.Linear(32, 4)

    def forward(self, steps, lengths):
        mask = torch.arange(steps.shape[1]).unsqueeze(0) >= lengths.unsqueeze(1)
        h = self.lift(steps).relu_()
        h = self.mix(h)
        h += 0.1
        h.clamp_(min=0)
        h = h.masked_fill(mask.unsqueeze(2), 0.0)
        pooled = h.sum(dim=1)
        pooled /= lengths.unsqueeze(1)
        return self.out(pooled)


def make(n):
    kind = torch.randint(0, 4, (n,))
    lengths = torch.randint(5, 16, (n,))
    drift = torch.tensor([[0.8, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 0.8], [-0.6, -0.6, 0.0]])
    steps = drift[kind].unsqueeze(1) + 0.9 * torch.randn(n, 15, 3)
    steps[torch.arange(15).unsqueeze(0) >= lengths.unsqueeze(1)] = 0.0
    return steps, lengths, kind


torch.manual_seed(53)
steps, lengths, kind = make(1600)
net = MaskedMean()
optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.5)
for epoch in range(8):
    total = torch.zeros(())
    for rows in torch.randperm(1600).split(40):
        loss = nn.functional.cross_entropy(net(steps[rows], lengths[rows]), kind[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(net.parameters(), 1.0)
        optimizer.step()
        total += loss.detach()
    print(f"epoch {epoch} loss {total.item() / 40:.6f}")
steps, lengths, kind = make(400)
with torch.no_grad():
    print(f"result: {(net(steps, lengths).argmax(1) == kind).float().mean().item():.4f}")
