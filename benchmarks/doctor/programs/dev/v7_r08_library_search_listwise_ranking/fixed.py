# %%
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(8)
QUERIES, DOCS, FEATURES = 780, 8, 12

# %%
taste = torch.randn(FEATURES) / FEATURES ** 0.5
features = torch.randn(QUERIES, DOCS, FEATURES) * torch.linspace(0.5, 4, FEATURES) + 2 * torch.randn(FEATURES)
z = (features - features.mean((0, 1))) / features.std((0, 1))
hidden_score = z @ taste + 0.5 * torch.tanh(z[..., 0] * z[..., 1]) + 0.25 * torch.randn(QUERIES, DOCS)
grades = torch.bucketize(hidden_score, torch.tensor([-0.6, 0.3, 1.1, 1.9])).float()
train_x, test_x = features[:480], features[480:]
train_g, test_g = grades[:480], grades[480:]
mean, std = train_x.mean((0, 1)), train_x.std((0, 1))
train_x, test_x = (train_x - mean) / std, (test_x - mean) / std

# %%
scorer = nn.Sequential(
    nn.Linear(FEATURES, 192), nn.LayerNorm(192), nn.GELU(),
    nn.Linear(192, 192), nn.GELU(),
    nn.Linear(192, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(scorer.parameters(), lr=1e-3)


def listnet(scores, grade):
    return -(F.softmax(grade, dim=1) * F.log_softmax(scores, dim=1)).sum(1).mean()


def ndcg(scores, grade, k=5):
    discount = 1 / torch.log2(torch.arange(k) + 2.0)
    gain = 2 ** grade - 1
    found = (gain.gather(1, scores.argsort(1, descending=True)[:, :k]) * discount).sum(1)
    ideal = (gain.sort(1, descending=True).values[:, :k] * discount).sum(1)
    return (found / ideal.clamp(min=1e-9))[ideal > 0].mean().item()


# %%
scorer.train()
for epoch in range(3):
    running = 0.0
    for rows in torch.randperm(len(train_x)).split(12):
        docs, grade = train_x[rows], train_g[rows]
        scores = scorer(docs.flatten(0, 1)).view(len(rows), DOCS)
        loss = listnet(scores, grade)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows)
    print(f"epoch {epoch}: listwise loss {running / len(train_x):.4f}")

# %%
scorer.eval()
with torch.no_grad():
    test_scores = scorer(test_x.flatten(0, 1)).view(len(test_x), DOCS)
print(f"result: {ndcg(test_scores, test_g):.4f}")
