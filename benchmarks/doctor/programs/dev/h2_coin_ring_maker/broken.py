# Two networks against each other: one makes points, one judges whether they lie on the ring
import torch
import torch.nn as nn

torch.manual_seed(19)


def ring(count):
    angle = torch.rand(count) * 6.2831853
    radius = 2.0 + 0.1 * torch.randn(count)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


maker = nn.Sequential(
    nn.Linear(8, 64), nn.LeakyReLU(0.2),
    nn.Linear(64, 64), nn.LeakyReLU(0.2),
    nn.Linear(64, 2),
)
judge = nn.Sequential(
    nn.Linear(2, 64), nn.LeakyReLU(0.2),
    nn.Linear(64, 64), nn.LeakyReLU(0.2),
    nn.Linear(64, 1),
)
bce = nn.BCEWithLogitsLoss()
maker_opt = torch.optim.Adam(maker.parameters(), lr=2e-3, betas=(0.5, 0.999))
judge_opt = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.999))
size = 128
true, false = torch.ones(size, 1), torch.zeros(size, 1)
points = ring(3000)

for epoch in range(24):
    maker_sum = judge_sum = 0.0
    batches = points[torch.randperm(len(points))].split(size)[:-1]
    for real in batches:
        invented = maker(torch.randn(size, 8)).detach()

        judge_opt.zero_grad()
        judge_loss = bce(judge(real), true) + bce(judge(invented.detach()), false)
        judge_loss.backward()
        judge_opt.step()

        maker_opt.zero_grad()
        maker_loss = bce(judge(invented), true)
        maker_loss.backward()
        maker_opt.step()

        judge_sum += judge_loss.item()
        maker_sum += maker_loss.item()
    print(f"epoch {epoch}: judge {judge_sum / len(batches):.6f} maker {maker_sum / len(batches):.6f}")

with torch.no_grad():
    made = maker(torch.randn(1000, 8))
on_ring = (made.norm(dim=1) - 2.0).abs() < 0.6
print(f"result: {on_ring.float().mean().item():.4f}")
