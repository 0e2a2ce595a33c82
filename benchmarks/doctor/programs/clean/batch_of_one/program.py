import random
import torch

random.seed(2)
torch.manual_seed(2)

rows = []
for _ in range(900):
    length, width = random.uniform(0.5, 3.0), random.uniform(0.5, 3.0)
    weight = random.gauss(length * width, 0.6)
    rows.append(([length, width, weight], 1.0 if weight > 2.5 and length > width * 0.6 else 0.0))
train, test = rows[:700], rows[700:]

net = torch.nn.Sequential(torch.nn.Linear(3, 12), torch.nn.Tanh(), torch.nn.Linear(12, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.03)
bce = torch.nn.BCEWithLogitsLoss()
for epoch in range(4):
    random.shuffle(train)
    total = 0.0
    for values, label in train:
        out = net(torch.tensor(values))
        loss = bce(out, torch.tensor([label]))
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    print("epoch", epoch, "loss", round(total / len(train), 6))

hits = 0
with torch.no_grad():
    for values, label in test:
        hits += int((net(torch.tensor(values)).item() > 0) == (label == 1.0))
print(f"result: {hits / len(test):.4f}")
