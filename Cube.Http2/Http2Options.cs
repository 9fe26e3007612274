namespace Cube.Http2;

/// <summary>The settings of a connection.</summary>
public sealed record Http2Options
{
    /// <summary>How many bytes of one response the server may send before the client reads them: 64 KiB to 16 MiB.</summary>
    public int StreamWindow { get; init; } = 256 << 10;

    /// <summary>After this time without a frame, the client sends a ping.</summary>
    public TimeSpan PingDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The connection is closed if no frame arrives within this time after a ping.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(5);

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
