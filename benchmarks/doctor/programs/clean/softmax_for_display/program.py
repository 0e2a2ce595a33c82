# %%
import torch
import torch.nn as nn
import firstlight as fl

train, test = fl.load("fashion_mnist_small")
torch.manual_seed(0)

# %%
model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 80), nn.ReLU(), nn.Linear(80, 10))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
part = train.subset(range(3000))

# %%
for epoch in range(3):
    sum_of_losses, hits, n = 0.0, 0, 0
    for images, labels in part.batches(60, shuffle=True):
        logits = model(images)
        loss = loss_fn(logits, labels)
        opt.zero_grad()
        loss.backward()
        opt.step()
        probabilities = torch.softmax(logits, dim=1)
        hits += (probabilities.argmax(dim=1) == labels).sum().item()
        n += len(labels)
        sum_of_losses += loss.item() * len(labels)
    print(f"epoch {epoch}: loss {sum_of_losses / n:.6f}, train accuracy {hits / n:.3f}")

# %%
images, labels = test[:5]
with torch.no_grad():
    for row, label in zip(torch.softmax(model(images), dim=1), labels):
        print(test.classes[label], "->", test.classes[row.argmax()], f"({row.max():.0%})")

# %%
hits = 0
with torch.no_grad():
    for images, labels in test.batches(500):
        hits += (model(images).softmax(dim=1).argmax(dim=1) == labels).sum().item()
print(f"result: {hits / len(test):.4f}")
