# %%
import numpy as np
import pandas as pd
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(5)
rng = np.random.default_rng(5)

# %%
n_songs, genres = 900, ["dub", "folk", "grime", "house", "swing"]
centres = rng.normal(0, 0.7, size=(len(genres), 14))
genre = rng.integers(0, len(genres), size=n_songs)
audio_cols = [f"band_{i}" for i in range(14)]
songs = pd.DataFrame(centres[genre] + rng.normal(size=(n_songs, 14)), columns=audio_cols)
songs["song_id"] = np.arange(n_songs)
songs["genre"] = genre

# %%
plays = pd.DataFrame({"song_id": rng.choice(n_songs, size=3600), "listener": rng.integers(0, 400, size=3600)})
df = plays.merge(songs, on="song_id", how="inner")
print(df.shape, "plays of", df.song_id.nunique(), "songs by", df.listener.nunique(), "listeners")

# %%
held = songs.song_id.sample(frac=0.25, random_state=3)
is_test = df.song_id.isin(held)
train_df, test_df = df[~is_test], df[is_test]
mu, sd = train_df[audio_cols].mean(), train_df[audio_cols].std()


def tensors(part):
    x = torch.tensor(((part[audio_cols] - mu) / sd).to_numpy(), dtype=torch.float32)
    return x, torch.tensor(part.genre.to_numpy())


x_train, y_train = tensors(train_df)
x_test, y_test = tensors(test_df)

# %%
net = nn.Sequential(
    nn.Linear(14, 192), nn.BatchNorm1d(192), nn.SiLU(), nn.Dropout(0.3),
    nn.Linear(192, 192), nn.BatchNorm1d(192), nn.SiLU(), nn.Dropout(0.3),
    nn.Linear(192, len(genres)))
opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)

# %%
net.train()
for epoch in range(12):
    order = torch.randperm(len(x_train))
    running = 0.0
    for idx in order.split(128):
        logits = net(x_train[idx])
        loss = F.cross_entropy(logits, y_train[idx], label_smoothing=0.05)
        opt.zero_grad()
        loss.backward()
        opt.step()
        running += loss.item() * len(idx)
    print(f"epoch {epoch + 1}: loss {running / len(order):.4f}")

# %%
net.eval()
with torch.no_grad():
    guess = net(x_test).argmax(1)
print(pd.crosstab(y_test.numpy(), guess.numpy()).to_string())
print(f"result: {(guess == y_test).float().mean().item():.4f}")
