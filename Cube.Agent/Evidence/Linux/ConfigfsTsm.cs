using System.Globalization;
using Cube.Agent.Evidence.Providers;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;

namespace Cube.Agent.Evidence.Linux;

/// <summary>
/// The kernel's interface for SEV-SNP and TDX (Documentation/ABI/testing/configfs-tsm-report, Linux 6.7 and later): a directory per
/// request, 64 bytes into <c>inblob</c>, evidence out of <c>outblob</c>, certificates out of <c>auxblob</c>.
/// </summary>
internal sealed class ConfigfsTsm(string root) : EvidenceProvider
{
    // errno of asm-generic
    private const int Eintr = 4;
    private const int Eagain = 11;
    private const int Ebusy = 16;
    private const int MaxTries = 6;

    /// <summary>A log up to this size fits into an Evidence document together with a quote.</summary>
    private const int MaxEventLog = 96 * 1024;
    private readonly string _reports = Path.Combine(root, "sys/kernel/config/tsm/report");
    private readonly string _eventLog = Path.Combine(root, "sys/firmware/acpi/tables/data/CCEL");
    private string? _provider;

    public override string Type => _provider switch
    {
        "sev_guest" => EvidenceType.SevSnp,
        "tdx_guest" => EvidenceType.Tdx,
        _ => "unknown",
    };

    /// <returns>True if the kernel has the interface and a known provider.</returns>
    public bool IsAvailable()
    {
        if (!Directory.Exists(_reports))
        {
            return false;
        }

        try
        {
            using var entry = Entry.Make(_reports);
            _provider = entry.Text("provider");
            return Type != "unknown";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public override async ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return Make(request.ReportData);
            }
            catch (IOException exception) when (tries < MaxTries && (exception is ConcurrentWriteException || (exception.HResult & 0xFFFF) is Eintr or Eagain or Ebusy))
            {
                // Another process uses the device.
                await Task.Delay(TimeSpan.FromMilliseconds(10 << tries), ct);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new EvidenceUnavailableException("The kernel returned no report.", exception);
            }
        }
    }

    private EvidenceDocument Make(byte[] reportData)
    {
        using var entry = Entry.Make(_reports);
        entry.Write("inblob", reportData);
        var report = entry.Bytes("outblob");
        var certificates = entry.Bytes("auxblob");
        _provider = entry.Text("provider");
        // Generation 1 is this write. A higher number means that another process wrote in between.
        if (entry.Text("generation") != "1")
        {
            throw new ConcurrentWriteException();
        }

        return _provider switch
        {
            "sev_guest" => new EvidenceDocument { Type = EvidenceType.SevSnp, Report = report, CertificateTable = certificates.Length > 0 ? certificates : null },
            "tdx_guest" => new EvidenceDocument { Type = EvidenceType.Tdx, Quote = report, CcEventLog = EventLog() },
            _ => throw new EvidenceUnavailableException("The report provider of the kernel is unknown."),
        };
    }

    private byte[]? EventLog()
    {
        if (!File.Exists(_eventLog))
        {
            return null;
        }

        // The table is padded with 0xFF after its last event.
        var log = File.ReadAllBytes(_eventLog);
        var end = log.AsSpan().TrimEnd((byte)0xFF).Length;
        return end is > 0 and <= MaxEventLog ? log[..end] : null;
    }

    private sealed class ConcurrentWriteException : IOException;

    /// <summary>A configfs directory that exists for one request.</summary>
    private sealed class Entry(string path) : IDisposable
    {
        public static Entry Make(string reports)
        {
            if (!Directory.Exists(reports))
            {
                throw new IOException("The kernel does not provide configfs-tsm.");
            }

            var path = Path.Combine(reports, string.Create(CultureInfo.InvariantCulture, $"cube-{Environment.ProcessId}-{Guid.NewGuid():N}"));
            Directory.CreateDirectory(path);
            if (IsOrdinary(path))
            {
                // The kernel creates the attributes immediately; a test that simulates the kernel needs a moment.
                SpinWait.SpinUntil(() => File.Exists(Path.Combine(path, "inblob")), TimeSpan.FromSeconds(1));
            }

            return new Entry(path);
        }

        /// <summary>Writes with a single system call, as the kernel requires.</summary>
        public void Write(string name, byte[] bytes)
        {
            using var file = new FileStream(Path.Combine(path, name), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(bytes);
        }

        /// <returns>Empty if the file does not exist.</returns>
        public byte[] Bytes(string name)
        {
            if (!File.Exists(Path.Combine(path, name)))
            {
                return [];
            }

            using var file = new FileStream(Path.Combine(path, name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            using var bytes = new MemoryStream();
            file.CopyTo(bytes, 4096);
            return bytes.ToArray();
        }

        public string Text(string name) => System.Text.Encoding.ASCII.GetString(Bytes(name)).Trim();

        public void Dispose()
        {
            try
            {
                // rmdir also removes the attributes of the kernel.
                Directory.Delete(path, recursive: IsOrdinary(path));
            }
            catch (IOException)
            {
                // The directory remains and uses a few bytes of kernel memory.
            }
        }

        /// <summary>True outside configfs, which allows rmdir only.</summary>
        private static bool IsOrdinary(string path) => !path.StartsWith("/sys/", StringComparison.Ordinal);
    }
}
