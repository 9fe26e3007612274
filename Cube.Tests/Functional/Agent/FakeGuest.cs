using System.Runtime.InteropServices;

namespace Cube.Tests.Functional.Agent;

/// <summary>
/// A directory that simulates configfs-tsm: a new directory gets its attributes, and 64 bytes in <c>inblob</c> create a report in
/// <c>outblob</c>, which is a pipe so that a reader blocks as with the device.
/// </summary>
internal sealed partial class FakeGuest : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public FakeGuest(string provider, Func<byte[], byte[]> report, byte[]? certificates = null)
    {
        Reports = Path.Combine(Root, "sys/kernel/config/tsm/report");
        Directory.CreateDirectory(Reports);
        _running = Task.Run(() => RunAsync(provider, report, certificates));
    }

    public string Root { get; } = Directory.CreateTempSubdirectory("cube-guest-").FullName;

    public string Reports { get; }

    /// <summary>Simulates another writer: the next reports have this generation.</summary>
    public string Generation { get; set; } = "1";

    public int Made { get; private set; }

    private async Task RunAsync(string provider, Func<byte[], byte[]> report, byte[]? certificates)
    {
        var known = new HashSet<string>();
        while (!_stop.IsCancellationRequested)
        {
            foreach (var entry in Directory.GetDirectories(Reports).Where(known.Add))
            {
                _ = Task.Run(() => ServeAsync(entry, provider, report, certificates));
            }

            await Task.Delay(1);
        }
    }

    private async Task ServeAsync(string entry, string provider, Func<byte[], byte[]> report, byte[]? certificates)
    {
        try
        {
            _ = Mkfifo(Path.Combine(entry, "outblob"), 0x180);
            await File.WriteAllTextAsync(Path.Combine(entry, "provider"), provider + "\n");
            await File.WriteAllTextAsync(Path.Combine(entry, "generation"), Generation + "\n");
            await File.WriteAllBytesAsync(Path.Combine(entry, "auxblob"), certificates ?? []);
            var inblob = Path.Combine(entry, "inblob");
            await using (new FileStream(inblob, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite))
            {
            }

            while (new FileInfo(inblob).Length < 64)
            {
                await Task.Delay(1, _stop.Token);
            }

            Made++;
            var made = report(await ReadAsync(inblob));
            await using var outblob = new FileStream(Path.Combine(entry, "outblob"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            outblob.Write(made);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or UnauthorizedAccessException)
        {
            // The directory was removed.
        }
    }

    private static async Task<byte[]> ReadAsync(string path)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[64];
        await file.ReadExactlyAsync(bytes);
        return bytes;
    }

    public void Dispose()
    {
        _stop.Cancel();
        _running.Wait();
        _stop.Dispose();
        Directory.Delete(Root, recursive: true);
    }

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mkfifo(string path, uint mode);
}
