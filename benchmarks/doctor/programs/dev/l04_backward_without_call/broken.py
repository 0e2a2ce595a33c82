import torch
from torch import nn

torch.manual_seed(13)

# which of four shapes does a signal of 40 points have?
t = torch.linspace(0, 1, 40)
shapes = torch.stack([torch.sin(12 * t), (t > 0.5).float() * 2 - 1, 2 * t - 1, torch.sin(12 * t) * (1 - t)])
kind = torch.randint(4, (1600,))
signal = shapes[kind] * (0.7 + 0.6 * torch.rand(1600, 1)) + 0.4 * torch.randn(1600, 40)
signal = signal.unsqueeze(1)

conv_net = nn.Sequential(
    nn.Conv1d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool1d(4),
    nn.Conv1d(8, 8, 3, padding=1), nn.ReLU(), nn.Flatten(),
    nn.Linear(80, 4),
)
objective = nn.CrossEntropyLoss(label_smoothing=0.05)
updater = torch.optim.NAdam(conv_net.parameters(), lr=4e-3)

train_signal, train_kind = signal[:1200], kind[:1200]
test_signal, test_kind = signal[1200:], kind[1200:]
n_batches = 24
for epoch in range(4):
    mean_loss = 0.0
    for rows in torch.randperm(1200).chunk(n_batches):
        updater.zero_grad(set_to_none=True)
        cost = objective(conv_net(train_signal[rows]), train_kind[rows])
        cost.backward
        updater.step()
        mean_loss += cost.item() / n_batches
    print(f"epoch={epoch} loss={mean_loss:.6f}")

conv_net.eval()
with torch.inference_mode():
    right = (conv_net(test_signal).argmax(1) == test_kind).sum().item()
print(f"result: {right / len(test_kind):.4f}")
