using System.Diagnostics;
using System.Globalization;
using Cube.AppHost.Hosting;
using Cube.AppHost.Settings;

namespace Cube.AppHost.Postgres;

/// <summary>
/// A PostgreSQL cluster on this host for this data directory only: loopback, generated password, no Unix socket.
/// PostgreSQL does not run as root. If the AppHost runs as root, it runs PostgreSQL as an unprivileged user.
/// </summary>
internal sealed record HostPostgres(string Cluster, PostgresPrograms Programs, string? RunAs)
{
    public const string User = "cube";

    /// <summary>File that contains the path of the cluster if it is outside the data directory.</summary>
    private const string Note = "postgres.path";

    /// <exception cref="StartupException">PostgreSQL is not available, or the cluster cannot be created.</exception>
    public static async Task<HostPostgres> PrepareAsync(DataDirectory data, string password, TextWriter progress)
    {
        var runAs = Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows() ? UnprivilegedUser() : null;
        var cluster = Locate(data, runAs);
        var version = Path.Combine(cluster, "PG_VERSION");
        int? major = File.Exists(version) ? int.Parse(File.ReadAllText(version).Trim(), CultureInfo.InvariantCulture) : null;
        var postgres = new HostPostgres(cluster, await PostgresPrograms.FindAsync(major, progress), runAs);
        if (major is null)
        {
            await postgres.InitializeAsync(data, password);
        }
        else
        {
            await postgres.WaitForPredecessorAsync();
        }

        return postgres;
    }

    /// <returns>Program and arguments that run <paramref name="program"/> as the user of the server.</returns>
    public (string Program, string[] Arguments) Command(string program, params string[] arguments) => RunAs is null
        ? (program, arguments)
        : ("setpriv", [$"--reuid={RunAs}", $"--regid={GroupOf(RunAs)}", "--clear-groups", "--", program, .. arguments]);

    private static string Locate(DataDirectory data, string? runAs)
    {
        if (File.Exists(data[Note]))
        {
            return File.ReadAllText(data[Note]).Trim();
        }

        if (runAs is null || OthersCanPass(data.Path))
        {
            return data["postgres"];
        }

        var elsewhere = $"/var/lib/cube/{data.Id}/postgres";
        Directory.CreateDirectory(Path.GetDirectoryName(elsewhere)!);
        data.Write(Note, elsewhere);
        return elsewhere;
    }

    private static bool OthersCanPass(string path)
    {
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (!OperatingSystem.IsWindows() && !folder.UnixFileMode.HasFlag(UnixFileMode.OtherExecute))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Creates the cluster in a temporary directory and renames it when it is complete, so that a crash leaves no partial cluster.</summary>
    private async Task InitializeAsync(DataDirectory data, string password)
    {
        var (building, passwordFile) = (Cluster + ".new", Cluster + ".password");
        try
        {
            if (Directory.Exists(building))
            {
                Directory.Delete(building, recursive: true);
            }

            Directory.CreateDirectory(building);
            data.Write(Path.GetFileName(passwordFile), password);
            if (Path.GetDirectoryName(passwordFile) != data.Path)
            {
                File.Move(data[Path.GetFileName(passwordFile)], passwordFile, overwrite: true);
            }

            if (RunAs is not null)
            {
                await Commands.RunAsync("chown", $"{RunAs}:{GroupOf(RunAs)}", building, passwordFile);
            }

            var (program, arguments) = Command(
                Programs["initdb"], "-D", building, "-U", User, "-A", "scram-sha-256", $"--pwfile={passwordFile}", "-E", "UTF8", "--locale=C");
            await Commands.RunAsync(program, arguments);
            Directory.Move(building, Cluster);
        }
        finally
        {
            File.Delete(passwordFile);
        }
    }

    /// <summary>Waits up to 30 seconds for a previous server to stop. After a kill it may still be stopping, and two servers cannot use one cluster.</summary>
    private async Task WaitForPredecessorAsync()
    {
        var file = Path.Combine(Cluster, "postmaster.pid");
        for (var waited = Stopwatch.StartNew(); File.Exists(file) && waited.Elapsed < TimeSpan.FromSeconds(30); await Task.Delay(200))
        {
            if (!int.TryParse((await File.ReadAllLinesAsync(file)).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid) || !IsPostgres(pid))
            {
                return;
            }

            if (waited.Elapsed > TimeSpan.FromSeconds(5) && !OperatingSystem.IsWindows())
            {
                // SIGINT is PostgreSQL's fast shutdown: it ends sessions and keeps committed data.
                await Commands.SucceedsAsync("kill", ["-INT", pid.ToString(CultureInfo.InvariantCulture)], TimeSpan.FromSeconds(5));
            }
        }
    }

    private static bool IsPostgres(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return process.ProcessName.StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static string UnprivilegedUser()
    {
        if (Commands.Find("setpriv") is null)
        {
            throw new StartupException("PostgreSQL does not run as root, and setpriv is missing: install util-linux, or start Cube as an ordinary user.");
        }

        string[] candidates = ["postgres", "nobody"];
        return candidates.FirstOrDefault(static user => Account(user) is not null)
            ?? throw new StartupException("PostgreSQL does not run as root, and this machine has neither a system user 'postgres' nor 'nobody': start Cube as an ordinary user.");
    }

    // postgres:x:104:112:PostgreSQL administrator:/var/lib/postgresql:/bin/bash
    private static string[]? Account(string user) =>
        File.ReadLines("/etc/passwd").Select(static line => line.Split(':')).FirstOrDefault(fields => fields.Length > 3 && fields[0] == user);

    private static string GroupOf(string user) => Account(user)![3];
}
