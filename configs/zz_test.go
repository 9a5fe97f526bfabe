package configs
import ("testing";"time";"strings")
func TestZZ(t *testing.T){
 for n,s:=range map[string]string{
  "brackets": strings.Repeat("a: [\n", 200000),
  "unclosed": "a: [\n"+strings.Repeat("b,\n", 300000)+"}",
  "star": strings.Repeat("- a*\n", 200000)+"- *b\n",
  "good": strings.Repeat("- a\n", 250000)+"b: c\n",
  "comments": strings.Repeat("# a\n", 250000)+"b: 'c'd\n",
  "quotes": strings.Repeat("- 'a\n\n'\n", 100000)+"b: 'c'd\n",
  "keys": strings.Repeat("ab: c\n", 170000),
  "items": "http: {listen: ["+strings.Repeat("5,", 400000)+"]}",
  "items2": "http: {listen: ["+strings.Repeat("'a',", 200000)+"]}",
  "env": "worker: {concurrency: {"+strings.Repeat("'a',", 10)+"}}",
 }{ st:=time.Now(); _,err:=load(file,[]byte(s),nil); e:=err.Error(); if len(e)>150 {e=e[:150]}; t.Log(n,time.Since(st),e) }
}
