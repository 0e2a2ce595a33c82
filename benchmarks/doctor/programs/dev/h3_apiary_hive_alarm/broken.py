# Will the bees swarm today? Band energies of the sound in the hive -> yes or no.
import numpy as np
import torch

rng = np.random.RandomState(27)
torch.manual_seed(27)

# --- data: 48 bands, a swarm is announced by a piping tone whose pitch varies
n_days = 2400
bands = np.abs(rng.randn(n_days, 48)) + np.linspace(2.0, 0.5, 48)
swarm_days = rng.rand(n_days) < 0.45
for day in np.flatnonzero(swarm_days):
    pitch = rng.randint(12, 36)
    bands[day, pitch:pitch + 3] += rng.uniform(1.4, 3.2, 3)
    bands[day, pitch // 2] += 1.2
bands = np.log1p(bands)

n_fit = 1800
center, scale = bands[:n_fit].mean(axis=0), bands[:n_fit].std(axis=0)
sounds = torch.tensor((bands - center) / scale).float()
swarms = torch.tensor(swarm_days).float()

fit_days = torch.utils.data.TensorDataset(sounds[:n_fit], swarms[:n_fit])
new_days = torch.utils.data.TensorDataset(sounds[n_fit:], swarms[n_fit:])
fit_loader = torch.utils.data.DataLoader(fit_days, batch_size=60, shuffle=True)
new_loader = torch.utils.data.DataLoader(new_days, batch_size=60)

# --- network
hive = torch.nn.Sequential(
    torch.nn.Linear(48, 640),
    torch.nn.BatchNorm1d(640),
    torch.nn.ReLU(),
    torch.nn.Linear(640, 512),
    torch.nn.ReLU(),
    torch.nn.Linear(512, 1),
)
loss_fn = torch.nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(hive.parameters(), lr=7e-4, weight_decay=1e-4)


def check(loader):
    hive.eval()
    right = 0.0
    with torch.no_grad():
        for sound, swarm in loader:
            said = (torch.sigmoid(hive(sound)) > 0.5).float()
            right += (said == swarm).float().mean().item() * len(swarm)
    return right / len(loader.dataset)


# --- training
for epoch in range(12):
    hive.train()
    losses = []
    for sound, swarm in fit_loader:
        opt.zero_grad()
        loss = loss_fn(hive(sound), swarm.unsqueeze(1))
        loss.backward()
        opt.step()
        losses.append(loss.item())
    print(f"epoch {epoch:2d} | loss {np.mean(losses):.6f} | new days {check(new_loader):.3f}")

print(f"result: {check(new_loader):.4f}")
