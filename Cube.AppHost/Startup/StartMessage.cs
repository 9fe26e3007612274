using Cube.AppHost.Hosting;
using Cube.AppHost.Settings;

namespace Cube.AppHost.Startup;

/// <summary>The message on standard output when all services are ready.</summary>
internal static class StartMessage
{
    public static void Write(TextWriter output, ReadyFile ready, Topology topology, CubeSettings settings, DataDirectory data, TimeSpan elapsed)
    {
        var api = $"{ready.Proxy}/proxy/{ready.Domain}/v1";
        var isFirstStart = settings.AdminPassword is null && !File.Exists(data["welcomed"]);
        var password = settings.AdminPassword is null ? data.Secret(CubeResources.AdminPassword, out _) : null;
        output.WriteLine(
            $"""

            Cube {ready.Version} is ready after {elapsed.TotalSeconds:F1} s.

              API            {api}
                             {ready.ProxyHttps}/proxy/{ready.Domain}/v1   (certificate {ready.Certificate})
              Dashboard      {(settings.Dashboard ? DashboardDefaults.LoginUrl : "off (CUBE_DASHBOARD=false)")}
              Model          {ready.Model ?? "none yet"} ({ready.Backend}: {topology.Model.Description})
              Database       {topology.DatabaseDescription}
              Authorization  {topology.Authorization.Engine}: {topology.Authorization.Description}
              Attestation    {(ready.Attestation == "simulated" ? "SIMULATED: attested TLS is used, but proves nothing about this machine" : ready.Attestation)}
              Administrator  {settings.AdminEmail}{(isFirstStart ? $"  password {password}" : "")}
              For scripts    {data.ReadyFile}

            Try it in another terminal:

              PASSWORD={(password is null ? "\"$CUBE_ADMIN_PASSWORD\"" : $"$(sed -n 's/.*\"{CubeResources.AdminPassword}\": \"\\(.*\\)\".*/\\1/p' '{data["secrets.json"]}')")}
              TOKEN=$(curl -s {ready.Proxy}/users/tokens/issue -H 'Content-Type: application/json' \
                -d '{"{"}"username":"{settings.AdminEmail}","password":"'"$PASSWORD"'"{"}"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
              curl -N {api}/chat/completions -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
                -d '{"{"}"model":"{ready.Model}","stream":true,"messages":[{"{"}"role":"user","content":"What is Cube?"{"}"}]{"}"}'

            Or in Python (pip install openai), with TOKEN exported:

              import os
              from openai import OpenAI
              client = OpenAI(base_url="{api}", api_key=os.environ["TOKEN"])
              for chunk in client.chat.completions.create(model="{ready.Model}", stream=True, messages=[{"{"}"role": "user", "content": "What is Cube?"{"}"}]):
                  print(chunk.choices[0].delta.content or "", end="", flush=True)

            Ctrl-C stops everything.
            """);
        if (isFirstStart)
        {
            data.Write("welcomed", "");
        }
    }
}
