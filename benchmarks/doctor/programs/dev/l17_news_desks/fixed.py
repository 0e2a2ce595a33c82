import numpy as np
import torch
from torch import nn

settings = {
    "words": 400,
    "desks": ["sport", "money", "science", "culture", "weather"],
    "steps": 500,
    "batch": 64,
    "lr": 0.1,
    "decay": 5e-4,
    "seed": 77,
}

torch.manual_seed(settings["seed"])
rng = np.random.default_rng(settings["seed"])

# every desk has its own favourite words on top of the common ones
common = rng.dirichlet(np.full(settings["words"], 0.4))
special = [rng.dirichlet(np.full(settings["words"], 0.05)) for _ in settings["desks"]]


def articles(n):
    desk = rng.integers(0, len(settings["desks"]), n)
    counts = np.stack([rng.multinomial(rng.integers(25, 60), 0.85 * common + 0.15 * special[d]) for d in desk])
    return counts.astype("float32"), desk


def tfidf(counts, idf):
    rows = np.log1p(counts) * idf
    return torch.from_numpy((rows / np.linalg.norm(rows, axis=1, keepdims=True) * 5).astype("float32"))


train_counts, train_desk = articles(3000)
test_counts, test_desk = articles(800)
idf = 1 + np.log(len(train_counts) / (1 + (train_counts > 0).sum(axis=0)))
x, y = tfidf(train_counts, idf), torch.from_numpy(train_desk)
xt, yt = tfidf(test_counts, idf), torch.from_numpy(test_desk)

net = nn.Sequential(nn.Linear(settings["words"], 80), nn.ReLU(), nn.Dropout(0.2), nn.Linear(80, len(settings["desks"])))
weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
biases = [p for name, p in net.named_parameters() if name.endswith("bias")]
optimizer = torch.optim.SGD(
    [
        {"params": weights, "weight_decay": settings["decay"]},
        {"params": biases, "weight_decay": 0.0},
    ],
    lr=settings["lr"],
    momentum=0.9,
)
loss_of = nn.CrossEntropyLoss()

net.train()
queue = torch.randperm(len(x))
for step in range(1, settings["steps"] + 1):
    if len(queue) < settings["batch"]:
        queue = torch.randperm(len(x))
    pick, queue = queue[: settings["batch"]], queue[settings["batch"] :]
    loss = loss_of(net(x[pick]), y[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    guess = net(xt).argmax(dim=1)
for k, desk in enumerate(settings["desks"]):
    print(f"  {desk:8s} recall {(guess[yt == k] == k).float().mean().item():.3f}")
print(f"accuracy on new articles {(guess == yt).float().mean().item():.4f}")
