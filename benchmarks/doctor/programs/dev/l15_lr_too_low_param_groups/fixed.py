import torch
from torch import nn

generator = torch.Generator().manual_seed(40)
torch.manual_seed(40)

# numbers written in unary and noise: is there a token above 15 in the first half of the line?
tokens = torch.randint(0, 16, (2000, 10), generator=generator)
answer = torch.randint(0, 2, (2000,), generator=generator)
place = torch.randint(0, 5, (2000,), generator=generator)
high = torch.randint(16, 20, (2000,), generator=generator)
rows = torch.arange(2000)
tokens[rows[answer == 1], place[answer == 1]] = high[answer == 1]
tokens[rows[answer == 0], place[answer == 0] + 5] = high[answer == 0]

train_tokens, train_answer = tokens[:1600], answer[:1600].float()
test_tokens, test_answer = tokens[1600:], answer[1600:].float()

embedding = nn.Embedding(20, 8)
classifier = nn.Sequential(nn.Flatten(), nn.Linear(80, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
optimizer = torch.optim.SGD(
    [
        {"params": embedding.parameters(), "lr": 0.2},
        {"params": classifier.parameters(), "lr": 0.1},
    ],
    momentum=0.9,
)
criterion = nn.BCEWithLogitsLoss()

for epoch in range(4):
    loss_sum = 0.0
    for part in torch.randperm(1600).split(40):
        optimizer.zero_grad()
        loss = criterion(classifier(embedding(train_tokens[part])), train_answer[part])
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() / 40
    print(f"epoch {epoch + 1}: {loss_sum:.6f}")

with torch.no_grad():
    said = classifier(embedding(test_tokens)) > 0
print(f"result: {(said == test_answer.bool()).float().mean().item():.4f}")
