using System.Diagnostics;
using System.Net.Sockets;
using Cube.Agent.Evidence.Tpm;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Agent;

/// <summary>swtpm, a complete TPM 2.0 in software, with an attestation key at the handle that Azure uses.</summary>
internal sealed class SoftwareTpm : IAsyncDisposable
{
    public const uint AkHandle = 0x81000003;
    private readonly string _state = Directory.CreateTempSubdirectory("cube-tpm-").FullName;
    private Process? _process;

    public TpmTransport Transport { get; private set; } = null!;

    public TpmCommands Commands { get; private set; } = null!;

    public string Address { get; private set; } = "";

    public static bool IsAvailable => Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(static folder => File.Exists(Path.Combine(folder, "swtpm")));

    public static async Task<SoftwareTpm> StartAsync(bool isEcc = false)
    {
        var tpm = new SoftwareTpm();
        var port = Ports();
        tpm.Address = $"tcp://127.0.0.1:{port}";
        tpm._process = Process.Start(new ProcessStartInfo("swtpm", ["socket", "--tpm2", "--tpmstate", $"dir={tpm._state}", "--server", $"type=tcp,port={port}", "--flags", "not-need-init,startup-clear"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        });
        (tpm.Transport, tpm.Commands) = (new TpmTransport(tpm.Address), null!);
        tpm.Commands = new TpmCommands(tpm.Transport);
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                return (await tpm.Commands.PcrReadAsync([1, 0, 0], default)).Count == 1;
            }
            catch (Cube.Attestation.Atls.EvidenceUnavailableException)
            {
                return false;
            }
        }, "swtpm answers");
        await tpm.MakeAkAsync(isEcc);
        return tpm;
    }

    /// <summary>TPM2_CreatePrimary below the owner, then TPM2_EvictControl to the persistent handle.</summary>
    private async Task MakeAkAsync(bool isEcc)
    {
        // restricted, sign, userWithAuth, sensitiveDataOrigin, fixedParent, fixedTPM
        byte[] start = [.. TpmCommands.U16(isEcc ? 0x0023 : 0x0001), .. TpmCommands.U16(0x000B), .. TpmCommands.U32(0x00050072), 0, 0, .. TpmCommands.U16(0x0010)];
        byte[] area = isEcc
            ? [.. start, .. TpmCommands.U16(0x0018), .. TpmCommands.U16(0x000B), .. TpmCommands.U16(0x0003), .. TpmCommands.U16(0x0010), 0, 0, 0, 0]
            : [.. start, .. TpmCommands.U16(0x0014), .. TpmCommands.U16(0x000B), .. TpmCommands.U16(2048), .. TpmCommands.U32(0), 0, 0];
        byte[] password = [0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
        var made = await Commands.SendAsync(0x8002, 0x131, [.. TpmCommands.U32(0x40000001), .. password, 0, 4, 0, 0, 0, 0, .. TpmCommands.U16(area.Length), .. area, 0, 0, 0, 0, 0, 0], default);
        var handle = made[10..14];
        await Commands.SendAsync(0x8002, 0x120, [.. TpmCommands.U32(0x40000001), .. handle, .. password, .. TpmCommands.U32(AkHandle)], default);
        await Commands.SendAsync(0x8001, 0x165, handle, default);
    }

    private static int Ports()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process?.Dispose();
        Directory.Delete(_state, recursive: true);
    }
}
