# Rental bands (0 cheap ... 3 dear) from a flat's advertisement
import torch
import torch.nn as nn

torch.manual_seed(31)
g = torch.Generator().manual_seed(77)

N = 2800
area = 20 + 110 * torch.rand(N, generator=g)
rooms = (area / 28 + 0.7 * torch.randn(N, generator=g)).round().clamp(1, 6)
centre_km = 12 * torch.rand(N, generator=g) ** 1.5
floor = torch.randint(0, 9, (N,), generator=g).float()
lift = (torch.rand(N, generator=g) < 0.4).float()
value = 9 * area ** 0.9 / 100 - 0.35 * centre_km + 0.15 * floor * (2 * lift - 1) + 0.25 * torch.randn(N, generator=g)
edges = torch.quantile(value, torch.tensor([0.25, 0.5, 0.75]))
band = torch.bucketize(value, edges)

# share of the floors that a lift helps with
comfort = lift * floor / floor.clamp(min=1)
features = torch.stack([area / 100, rooms, centre_km / 10, floor / 8, lift, comfort], dim=1)

perm = torch.randperm(N, generator=g)
train_rows, test_rows = perm[:2200], perm[2200:]

network = nn.Sequential(
    nn.Linear(6, 96),
    nn.Tanh(),
    nn.Linear(96, 96),
    nn.Tanh(),
    nn.Linear(96, 4),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)

for epoch in range(12):
    mixed = train_rows[torch.randperm(len(train_rows))]
    losses = []
    for start in range(0, len(mixed), 55):
        rows = mixed[start:start + 55]
        logits = network(features[rows])
        loss = criterion(logits, band[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    print(f"epoch={epoch} loss={sum(losses) / len(losses):.6f}")

with torch.no_grad():
    answer = network(features[test_rows]).argmax(1)
correct = int((answer == band[test_rows]).sum())
print(f"result: {correct / len(test_rows):.4f}")
