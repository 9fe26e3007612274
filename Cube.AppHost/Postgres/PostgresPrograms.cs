using Cube.AppHost.Hosting;
using Cube.AppHost.Settings;
using MysticMind.PostgresEmbed;

namespace Cube.AppHost.Postgres;

/// <summary>The folder with the programs of a PostgreSQL server: on this host, or downloaded once into the user's cache.</summary>
internal sealed record PostgresPrograms(string Folder, int Major)
{
    /// <summary>The downloaded version; it has the major version of the container image.</summary>
    private const string FetchedVersion = "18.3.0";

    public string this[string program] => Path.Combine(Folder, OperatingSystem.IsWindows() ? program + ".exe" : program);

    /// <param name="cluster">Major version of the existing cluster, or null.</param>
    /// <param name="progress">Receives progress messages.</param>
    /// <exception cref="StartupException">No suitable version is installed, and none can be downloaded.</exception>
    public static async Task<PostgresPrograms> FindAsync(int? cluster, TextWriter progress)
    {
        var found = OnHost().DistinctBy(static programs => programs.Major).OrderByDescending(static programs => programs.Major).ToList();
        if (found.FirstOrDefault(programs => cluster is null || programs.Major == cluster) is { } suitable)
        {
            return suitable;
        }

        if (cluster is not null && found.Count > 0)
        {
            throw new StartupException(
                $"The database was created by PostgreSQL {cluster}, but this host has {string.Join(", ", found.Select(static programs => programs.Major))}: " +
                $"install PostgreSQL {cluster}, or choose another CUBE_DATA.");
        }

        return await FetchAsync(progress);
    }

    private static IEnumerable<PostgresPrograms> OnHost()
    {
        if (Commands.Find("initdb") is { } initdb)
        {
            // Packages put symbolic links on the PATH; the server is next to their targets.
            var target = File.ResolveLinkTarget(initdb, returnFinalTarget: true)?.FullName ?? initdb;
            if (Read(Path.GetDirectoryName(target)!) is { } onPath)
            {
                yield return onPath;
            }
        }

        string[] roots =
        [
            "/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt", "/Library/PostgreSQL",
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL"),
        ];
        foreach (var folder in roots.Where(Directory.Exists).SelectMany(Directory.EnumerateDirectories))
        {
            if (Read(Path.Combine(folder, "bin")) is { } programs)
            {
                yield return programs;
            }
        }
    }

    private static PostgresPrograms? Read(string folder)
    {
        var programs = new PostgresPrograms(folder, 0);
        return File.Exists(programs["initdb"]) && File.Exists(programs["postgres"]) && VersionOf(programs["postgres"]) is { } major
            ? programs with { Major = major }
            : null;
    }

    private static int? VersionOf(string postgres)
    {
        try
        {
            using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(postgres, ["--version"])
            {
                RedirectStandardOutput = true,
            });
            // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
            var words = process?.StandardOutput.ReadToEnd().Split(' ') ?? [];
            return words.Length > 2 && int.TryParse(words[2].Split('.')[0].TrimEnd(), out var major) ? major : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static async Task<PostgresPrograms> FetchAsync(TextWriter progress)
    {
        await progress.WriteLineAsync("  postgres    no container runtime and no PostgreSQL found: downloading PostgreSQL once (about 10 MB)");
        var server = new PgServer(new PgServerOptions { PgVersion = FetchedVersion });
        try
        {
            using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(5));
            await server.InstallAsync(timeout.Token);
        }
        catch (Exception exception) when (exception is not StartupException)
        {
            throw new StartupException(
                "No PostgreSQL found, and the download failed: install it (Debian and Ubuntu: postgresql, macOS: brew install postgresql, " +
                $"Windows: winget install PostgreSQL.PostgreSQL), start a container runtime, or set ConnectionStrings__identity. ({exception.Message})");
        }

        return Read(server.PgBinDir)
            ?? throw new StartupException($"The download to {server.PgBinDir} contains no PostgreSQL server.");
    }
}
