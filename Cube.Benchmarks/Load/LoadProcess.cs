using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Cube.Benchmarks.Load;

/// <summary>A measured process on one core.</summary>
internal sealed class LoadProcess : IDisposable
{
    private static readonly double _ticksPerSecond = 100;
    private readonly Process _process;
    private readonly string _socket;
    private readonly string _log;

    /// <param name="name">The name of the process in messages.</param>
    /// <param name="folder">The folder for its output.</param>
    /// <param name="core">The core that it runs on.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="settings">Its environment variables.</param>
    public LoadProcess(string name, string folder, int core, string[] command, IEnumerable<KeyValuePair<string, string>> settings)
    {
        (Name, _socket, _log) = (name, Path.Combine(folder, $"{name}.sock"), Path.Combine(folder, $"{name}.log"));
        // The output goes to a file: a pipe to this process would cost time on its core.
        var start = new ProcessStartInfo("taskset", ["-c", $"{core}", "sh", "-c", "exec \"$@\" >\"$CUBE_LOAD_LOG\" 2>&1", "sh", .. command]) { WorkingDirectory = folder };
        foreach (var (key, value) in settings)
        {
            start.Environment[key] = value;
        }

        start.Environment["CUBE_LOAD_LOG"] = _log;
        start.Environment["DOTNET_STARTUP_HOOKS"] = typeof(LoadProcess).Assembly.Location;
        start.Environment[StartupHook.SocketVariable] = _socket;
        _process = Process.Start(start) ?? throw new InvalidOperationException($"{name} does not start.");
    }

    public string Name { get; }

    public int Id => _process.Id;

    /// <exception cref="InvalidOperationException">The process has ended.</exception>
    public void ThrowIfEnded()
    {
        if (_process.HasExited)
        {
            throw new InvalidOperationException($"{Name} ended: {File.ReadAllText(_log)}");
        }
    }

    /// <summary>The processor time so far, user and system.</summary>
    public TimeSpan Cpu
    {
        get
        {
            // pid (name) state ppid … : utime and stime are the fields 14 and 15. The name can contain spaces.
            var text = File.ReadAllText($"/proc/{Id}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return TimeSpan.FromSeconds((long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / _ticksPerSecond);
        }
    }

    /// <summary>The resident memory in bytes.</summary>
    public long Resident => long.Parse(
        File.ReadLines($"/proc/{Id}/status").First(static line => line.StartsWith("VmRSS:", StringComparison.Ordinal))["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) << 10;

    /// <summary>What .NET has allocated so far, and how long and how often its garbage collector stopped the process for it.</summary>
    public MemoryUse Memory
    {
        get
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(_socket));
            Span<byte> answer = stackalloc byte[24];
            for (var read = 0; read < answer.Length;)
            {
                read += socket.Receive(answer[read..]) is > 0 and var count ? count : throw new IOException($"{Name} reports no allocations.");
            }

            return new MemoryUse(
                BinaryPrimitives.ReadInt64LittleEndian(answer), TimeSpan.FromTicks(BinaryPrimitives.ReadInt64LittleEndian(answer[8..])), BinaryPrimitives.ReadInt64LittleEndian(answer[16..]));
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit(10_000);
        }

        _process.Dispose();
    }
}

/// <param name="Allocated">Bytes.</param>
/// <param name="Pauses">The time in which the process stood still.</param>
/// <param name="Collections">The number of garbage collections.</param>
internal readonly record struct MemoryUse(long Allocated, TimeSpan Pauses, long Collections);
