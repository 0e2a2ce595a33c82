import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)

# --- hyper-parameters -------------------------------------------------------
EPOCHS = 8
BATCH = 64
MAX_LR = 0.01

# --- data: stripes in one of six directions ---------------------------------
def stripes(n, side=14, directions=6):
    label = torch.randint(0, directions, (n,))
    angle = label * torch.pi / directions + 0.08 * torch.randn(n)
    grid = torch.arange(side, dtype=torch.float32)
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    along = torch.cos(angle)[:, None, None] * xx + torch.sin(angle)[:, None, None] * yy
    waves = torch.sin(along * (0.9 + 0.4 * torch.rand(n, 1, 1)) + 6.28 * torch.rand(n, 1, 1))
    return (waves + 0.8 * torch.randn(n, side, side)).unsqueeze(1), label


train_set = TensorDataset(*stripes(1920))
test_x, test_y = stripes(600)
train_loader = DataLoader(train_set, batch_size=BATCH, shuffle=True)

# --- model ------------------------------------------------------------------
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 5), torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(16, 32, 3), torch.nn.ReLU(),
    torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
    torch.nn.Linear(32, 6),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=MAX_LR / 25)
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=MAX_LR, epochs=EPOCHS, steps_per_epoch=len(train_loader))

# --- training ---------------------------------------------------------------
for epoch in range(EPOCHS):
    model.train()
    loss_sum = 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(labels)
    scheduler.step()
    print(f"Epoch [{epoch + 1}/{EPOCHS}] loss={loss_sum / len(train_set):.4f} lr={scheduler.get_last_lr()[0]:.5f}")

# --- test -------------------------------------------------------------------
model.eval()
with torch.no_grad():
    correct = (model(test_x).argmax(dim=1) == test_y).sum().item()
print(f"result: {correct / len(test_y):.4f}")
