import torch
from torch import nn

torch.manual_seed(27)

# logistic regression on polynomial features
raw = torch.rand(1000, 2) * 2 - 1
label = (raw[:, 1] > 0.6 * torch.sin(4 * raw[:, 0])).float()
features = torch.cat([raw, raw ** 2, raw ** 3, raw[:, :1] * raw[:, 1:]], dim=1)
train_x, train_y = features[:700], label[:700]
test_x, test_y = features[700:], label[700:]

model = nn.Linear(7, 1)
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=10)


def closure():
    optimizer.zero_grad()
    loss = loss_fn(model(train_x).squeeze(1), train_y)
    loss.backward()
    return loss


for epoch in range(8):
    loss = optimizer.step(closure)
    print(f"epoch {epoch} loss {loss.item():.6f}")

model.eval()
with torch.no_grad():
    right = (model(test_x).squeeze(1) > 0) == test_y.bool()
print(f"result: {right.float().mean().item():.4f}")
